"""What a folder holds of a run: nothing, a part of it, all of it, or another one."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blindface.base.errors import BlindfaceError, ParameterError, TrainingError
from blindface.base.files import read_json
from blindface.base.progress import say
from blindface.training.session.checkpoint import Checkpoint, clear_checkpoints, differences, newest_checkpoint

GENERATOR, HISTORY, RUN = "generator.safetensors", "history.csv", "run.json"


def find_finished(folder: Path, identity: Mapping[str, Any], code: str) -> dict[str, Any] | None:
    """The record of a run that is finished under these parameters, or None if none is.

    Errors: ParameterError if the folder holds a finished run of other parameters or data.
    """
    if not all((folder / name).is_file() for name in (GENERATOR, HISTORY, RUN)):
        return None
    try:
        record = read_json(folder / RUN)
        before, trained_by = {name: record[name] for name in identity}, record["code"]
    except (BlindfaceError, KeyError, TypeError):
        return None
    different = differences(before, identity)
    if different:
        raise ParameterError(
            f"{folder} holds a model that was trained otherwise ({_list(different)}): give another --output, or "
            "--restart to replace it"
        )
    if trained_by != code:
        say(f"{folder} was trained by another version of the code: --restart trains it anew")
    return dict(record)


def find_checkpoint(folder: Path, identity: Mapping[str, Any], code: str) -> Checkpoint | None:
    """The newest checkpoint of this run, or None to begin anew.

    Checkpoints of a finished run of other parameters or code are deleted: its results are gone, or they would have been
    found before. Errors: ParameterError if a run of other parameters or data is unfinished.
    """
    checkpoint = newest_checkpoint(folder)
    if checkpoint is None:
        return None
    record = checkpoint.record
    different = differences(record["identity"], identity)
    other_code = record["code"] != code
    finished = record["progress"]["epoch"] >= epochs_of(record["identity"])
    if finished and (different or other_code):
        what = _list(different) if different else "another version of the code"
        say(f"training anew: {folder} holds a finished run that was trained otherwise ({what})")
        clear_checkpoints(folder)
        return None
    if different:
        raise ParameterError(
            f"{folder} holds an unfinished run of other parameters or data ({_list(different)}): go back to those, "
            "give another --output, or --restart to delete it"
        )
    if other_code:
        say("going on with another version of the code than the run began with")
    return checkpoint


def epochs_of(identity: Mapping[str, Any]) -> int:
    """How many epochs the run of an identity has; 0 where another version of the code wrote it."""
    recipe = identity.get("recipe", "")
    return int(identity["params"]["train"].get(recipe, {}).get("epochs", 0))


def _list(different: list[str]) -> str:
    more = f" and {len(different) - 4} more" if len(different) > 4 else ""
    return "; ".join(different[:4]) + more


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder for this process. Errors: TrainingError if another one trains in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"another process trains in {folder}: wait for it, stop it, or give another --output"
            ) from None
        yield
