"""MLflow's store: the only module that imports MLflow, and only when a run is tracked."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BATCH = 800
"""Metrics per call; MLflow takes at most 1,000."""
PARAMETERS_PER_CALL = 100
LONGEST_VALUE = 5000
"""Characters of a parameter or tag; MLflow's own limit for tags."""
RECORD_TAG = "blindface.record"
"""Names the files a run was made from, so that none is imported twice."""


def record_key(model: Path) -> str:
    """What tells finished runs apart: the SHA-256 of their run.json and history.csv."""
    content = (model / "run.json").read_bytes() + b"\0" + (model / "history.csv").read_bytes()
    return hashlib.sha256(content).hexdigest()


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested values as text under dotted names; lists as JSON; None left out."""
    result: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            result |= flatten(value, f"{prefix}{key}.")
        elif value is not None:
            result[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return result


def open_client(uri: str) -> Any:
    """MLflow's client, without its telemetry, its chatter and its minutes of retries."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from mlflow import MlflowClient

    for name in ("mlflow", "mlflow.store.db.utils", "alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not uri.startswith("sqlite:///"):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    database = Path(uri.removeprefix("sqlite:///"))
    database.parent.mkdir(parents=True, exist_ok=True)
    # MLflow makes the tables at the first use; two objectives that start together must not both do it.
    with open(database.with_name(f"{database.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    return client


def _experiment_id(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except Exception:
            # The other objective's run may have made it a moment ago
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def create_run(client: Any, experiment: str, name: str, tags: Mapping[str, Any], start: int | None) -> str:
    """Begin a run in the experiment, made if it is not there; returns its id. `start` in ms since 1970."""
    text = {key: value[:LONGEST_VALUE] for key, value in flatten(tags).items()}
    run = client.create_run(_experiment_id(client, experiment), start_time=start, tags=text, run_name=name)
    return str(run.info.run_id)


def find_run(client: Any, experiment: str, key: str) -> tuple[str | None, bool]:
    """The run imported from these very files, if any, and whether its import came to its end."""
    runs = client.search_runs([_experiment_id(client, experiment)], f"tags.`{RECORD_TAG}` = '{key}'", max_results=1)
    if not runs:
        return None, False
    return str(runs[0].info.run_id), runs[0].info.status == "FINISHED"


def log_params(client: Any, run_id: str, params: Mapping[str, Any]) -> None:
    """Keep nested parameters under dotted names."""
    from mlflow.entities import Param

    entries = [Param(name, value[:LONGEST_VALUE]) for name, value in flatten(params).items()]
    for start in range(0, len(entries), PARAMETERS_PER_CALL):
        client.log_batch(run_id, params=entries[start : start + PARAMETERS_PER_CALL])


def to_metrics(values: Mapping[str, float], step: int, milliseconds: int) -> list[Any]:
    """MLflow's metrics of one moment (ms since 1970)."""
    from mlflow.entities import Metric

    return [Metric(name, float(value), milliseconds, step) for name, value in values.items()]


def send(client: Any, run_id: str, metrics: list[Any]) -> None:
    """Send metrics in as few calls as MLflow takes."""
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def first_line(error: Exception) -> str:
    """What an exception says, without the rest of its page."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
