"""Where a run stands: everything of its state that is no tensor, except for the sums of the epoch's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any


def now() -> str:
    """The time in ISO format, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Progress:
    """The position of the next batch, the rows of finished epochs, and the time spent training.

    epoch, batch: counted from 0; best: metric, value and epoch (from 1) of the best validation so far; epoch_seconds:
    spent in the unfinished epoch, epoch_waited: of these, for data; seconds: in the finished epochs; started: when the
    run began first.
    """

    epoch: int = 0
    batch: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    epoch_seconds: float = 0.0
    epoch_waited: float = 0.0
    seconds: float = 0.0
    started: str = field(default_factory=now)

    def record(self) -> dict[str, Any]:
        """As plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Progress:
        """What `record` gave."""
        return cls(**record)

    def next_epoch(self) -> None:
        """Move to the start of the next epoch."""
        self.seconds += self.epoch_seconds
        self.epoch, self.batch, self.epoch_seconds, self.epoch_waited = self.epoch + 1, 0, 0.0, 0.0
