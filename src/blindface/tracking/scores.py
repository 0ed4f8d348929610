"""The final test metrics, attached to the training run of the model that was measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from blindface.base.errors import BlindfaceError
from blindface.base.files import read_json
from blindface.base.progress import say
from blindface.params import TrackParams
from blindface.tracking.note import read_note
from blindface.tracking.record import RUN, Point
from blindface.tracking.store import SQLITE, WEIGHTS_TAG, Store, StoredRun, first_line, open_store

LIMIT = 60.0
"""Seconds that an evaluation waits for a store before it goes its way."""


def attach_scores(scores: Path, models: Sequence[Path], track: TrackParams, limit: float = LIMIT) -> None:
    """Attach the numbers of a scores JSON to the runs of the models' folders. Never raises; a failure is told once.

    A run is found by the note beside its model, else by its weights' SHA-256.
    """
    if not models or not track.uri:
        return
    if track.uri.startswith(SQLITE) and not Path(track.uri.removeprefix(SQLITE)).exists():
        return  # nothing was tracked here, and no store is made for it
    remedy = "".join(f"'blindface import-run --model-dir {model} --scores {scores}' " for model in models[:1])
    failures: list[str] = []

    def work() -> None:
        try:
            store = open_store(track.uri)
            for model in models:
                run = find_run(store, model, track)
                if run is None:
                    failures.append(f"the run of {model} is not in {track.uri}")
                else:
                    send_scores(store, run.run_id, scores)
        except Exception as error:
            failures.append(f"MLflow's store {track.uri} failed ({first_line(error)})")

    thread = threading.Thread(target=work, name="scores to MLflow", daemon=True)
    thread.start()
    thread.join(limit)
    if thread.is_alive():
        failures.append(f"MLflow's store {track.uri} did not answer in {limit:.0f} s")
    if failures:
        with suppress(OSError):
            say(f"blindface: the scores are not in MLflow: {failures[0]}; later: {remedy.strip()}")


def find_run(store: Store, model: Path, track: TrackParams) -> StoredRun | None:
    """The run of a model's folder: by the note beside it, else by the SHA-256 of its weights."""
    note = read_note(model)
    if note is not None and note.uri == store.uri and (found := store.get(note.run_id)) is not None:
        return found
    try:
        digest = read_json(model / RUN).get("weights_sha256")
    except BlindfaceError:
        return None
    return store.find(store.experiment(track.experiment), WEIGHTS_TAG, str(digest)) if digest else None


def send_scores(store: Store, run_id: str, scores: Path) -> None:
    """Send what is new in a scores JSON, and the file itself."""
    run = store.get(run_id)
    content = read_json(scores)
    values = score_values(content)
    before = {} if run is None else run.metrics
    now, epoch = int(time.time() * 1000), int(before.get("summary/epochs", 0))
    news = [Point(name, value, now, epoch) for name, value in values.items() if before.get(name) != value]
    if news:
        store.log_points(run_id, news, run.model if run else None)
        store.log_file(run_id, scores, "scores")


def score_values(content: dict[str, Any]) -> dict[str, float]:
    """`test/<metric>` of a scores JSON: the mean over images, or over batches for what is defined on batches only.

    The sequence of both objectives, which belongs to two runs, reads `test/sequence/<metric>`.
    """
    method = str(content.get("method", ""))
    prefix = "test" if method.startswith("objective") else f"test/{method}"
    values = {}
    for name, entry in content.get("metrics", {}).items():
        value = entry.get("image_mean")
        value = entry.get("batch_mean") if value is None else value
        if isinstance(value, int | float):
            values[f"{prefix}/{name}"] = float(value)
    return values
