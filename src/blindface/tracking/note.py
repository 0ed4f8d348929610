"""`tracking.json` beside a model: which run of MLflow it is. A note for readers and nobody's input or output."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from blindface.base.errors import BlindfaceError
from blindface.base.files import read_json, write_json
from blindface.tracking.record import RUN, record_key

NOTE = "tracking.json"


@dataclass(frozen=True)
class TrackedRun:
    """Where a run is found in MLflow. record: tells the run in the folder from all others (see `record_key`)."""

    uri: str
    experiment: str
    experiment_id: str
    run_id: str
    run_name: str
    record: str


def write_note(model: Path, run: TrackedRun) -> None:
    """Write the note into a model's folder, atomically."""
    write_json(model / NOTE, asdict(run))


def read_note(model: Path) -> TrackedRun | None:
    """The note of a finished model's folder; None if there is none, or if it is about another run than run.json."""
    try:
        run = TrackedRun(**read_json(model / NOTE))
        return run if run.record == record_key(read_json(model / RUN)) else None
    except (BlindfaceError, TypeError, AttributeError, OSError):
        return None
