"""A finished run, brought into MLflow from its files."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from blindface.errors import InputError
from blindface.files import read_json
from blindface.tracking import store


def import_run(model: Path, uri: str, experiment: str, run_name: str | None = None) -> tuple[str, bool]:
    """Bring a finished run's `run.json` and `history.csv` into MLflow; returns its run id and whether it was new.

    run.json: the values under `params` become parameters, all other plain values tags; `started` and `finished` (text
    in ISO format, or seconds since 1970) its times. The same files are imported once: a second call changes nothing,
    and completes an import that was cut off. Errors: InputError if a file is missing or the store cannot be used.
    """
    if not uri:
        raise InputError("track.uri is empty: give MLflow's store, such as sqlite:///mlflow.db")
    record_file, history_file = model / "run.json", model / "history.csv"
    record, history = read_json(record_file), read_history(history_file)
    key = store.record_key(model)
    started, finished = _times(record, history_file)
    name = run_name or str(record.get("objective") or model.name)
    try:
        client = store.open_client(uri)
        run_id, complete = store.find_run(client, experiment, key)
        if complete and run_id:
            return run_id, False
        tags = {name: value for name, value in store.flatten(record).items() if not name.startswith("params.")}
        run_id = run_id or store.create_run(client, experiment, name, {**tags, store.RECORD_TAG: key}, started)
        store.log_params(client, run_id, record.get("params", {}))
        store.send(client, run_id, _history_metrics(history, started, finished))
        for path in (record_file, history_file):
            client.log_artifact(run_id, str(path))
        client.set_terminated(run_id, "FINISHED", finished)
    except ModuleNotFoundError as error:
        raise InputError("MLflow is not installed: pip install 'blindface[workflow]' and import again") from error
    except Exception as error:
        raise InputError(f"MLflow's store {uri} cannot be used ({store.first_line(error)}): mend track.uri") from error
    return run_id, True


def read_history(path: Path) -> list[dict[str, str]]:
    """The rows of a history.csv with columns epoch, step and numbers. Errors: InputError."""
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: it is written by 'blindface train'") from error
    try:
        for row in rows:
            int(row["epoch"]), int(row["step"])
            for value in row.values():
                float(value or "nan")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a training history ({error!r}): train again") from error
    return rows


def _history_metrics(history: list[dict[str, str]], started: int, finished: int) -> list[Any]:
    """Every number of the history. Its times are spread evenly over the run: the same at every import."""
    result: list[Any] = []
    for place, row in enumerate(history):
        moment = started + (finished - started) * (place + 1) // len(history)
        values = {
            f"step{row['step']}/{name}": float(value)
            for name, value in row.items()
            if name not in ("epoch", "step") and value and not math.isnan(float(value))
        }
        result += store.to_metrics(values, int(row["epoch"]), moment)
    return result


def _times(record: Mapping[str, Any], history: Path) -> tuple[int, int]:
    """Start and end in milliseconds since 1970; where the record lacks them, the time of the history's file."""
    last = _milliseconds(record.get("finished"), int(history.stat().st_mtime * 1000))
    return min(_milliseconds(record.get("started"), last), last), last


def _milliseconds(value: Any, otherwise: int) -> int:
    if isinstance(value, int | float):
        return int(value * 1000)
    try:
        return int(datetime.fromisoformat(str(value)).timestamp() * 1000)
    except ValueError:
        return otherwise
