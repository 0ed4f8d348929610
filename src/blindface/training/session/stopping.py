"""Leaving in good order: Ctrl-C, a scheduler's SIGTERM, or a limit of time, each taken up between two batches."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Literal

from blindface.training.distributed.launch import launcher_is_gone


class StopRequest:
    """Tells whether to stop. In the `with` block the first signal asks; a second Ctrl-C leaves at once.

    seconds: limit of time from the construction on, or None.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, seconds: float | None = None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds
        self.received: int | None = None
        self.asked = 0
        self._before: dict[int, Any] = {}

    def reason(self) -> Literal["interrupted", "time"] | None:
        """`interrupted`, `time` or None, which is: go on. Asked before every batch.

        The first batch is trained whatever the time, so that a limit shorter than the set-up gets on all the same.
        """
        self.asked += 1
        if self.received is not None or launcher_is_gone():
            return "interrupted"
        if self.end is not None and self.asked > 1 and time.monotonic() >= self.end:
            return "time"
        return None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number

    def __enter__(self) -> StopRequest:
        # Only the main thread may set handlers; elsewhere the caller decides about signals.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
