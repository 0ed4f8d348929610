"""A finished run, brought into MLflow from its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blindface.base.errors import BlindfaceError, InputError
from blindface.base.files import read_json
from blindface.tracking import record
from blindface.tracking.scores import send_scores
from blindface.tracking.store import explain, open_store
from blindface.tracking.writer import RunWriter


def import_run(
    model: Path, uri: str, experiment: str, run_name: str | None = None, scores: Sequence[Path] = ()
) -> tuple[str, bool]:
    """Bring a finished run's folder into MLflow, completing what is there of it; returns its run id and whether it
    was completed now.

    The same run is imported once: a second call changes nothing. scores: JSON files of `blindface evaluate` that belong
    to it. Errors: InputError if a file is missing or broken, or the store cannot be used.
    """
    if not uri:
        raise InputError("track.uri is empty: give MLflow's store, such as sqlite:///mlflow.db")
    facts = read_json(model / record.RUN)
    record.read_history(model / record.HISTORY)
    for path in scores:
        read_json(path)
    try:
        writer = RunWriter(open_store(uri), model, experiment, facts, run_name)
        complete = writer.complete
        if not complete:
            writer.finish()
        for path in scores:
            send_scores(writer.store, writer.run.run_id, path)
    except BlindfaceError:
        raise
    except Exception as error:
        raise explain(uri, error) from error
    return writer.run.run_id, not complete
