"""MLflow's store: the only module that imports MLflow, and only when a run is tracked."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindface.base.errors import InputError
from blindface.tracking.record import Point

BATCH = 800
"""Metrics per call; MLflow takes at most 1,000."""
PARAMETERS_PER_CALL = 100
LONGEST_VALUE = 5000
"""Characters of a parameter or tag; MLflow's own limit for tags."""
RECORD_TAG, MODEL_TAG, WEIGHTS_TAG = "blindface.record", "blindface.model_id", "weights_sha256"
"""The first names the run that a record is about, so that none is imported twice."""
MODEL_VERSIONS_TAG = "mlflow.modelVersions"
"""MLflow's own: with it the page of a model shows its registered version."""
QUIET = (
    "mlflow",
    "mlflow.store.db.utils",
    "mlflow.utils.environment",
    "alembic",
    "alembic.runtime.migration",
    "sqlalchemy.pool",
)
SQLITE = "sqlite:///"


@dataclass(frozen=True)
class StoredRun:
    """A run as the store has it. metrics: the latest value of each; model: MLflow's id of its model."""

    run_id: str
    name: str
    experiment_id: str
    status: str
    metrics: Mapping[str, float]
    model: str | None


class Store:
    """MLflow's client with what we need of it. Every method may raise what MLflow raises."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.client = open_client(uri)

    def experiment(self, name: str) -> str:
        """The id of an experiment, made if it is not there; its files lie beside a sqlite database."""
        found = self.client.get_experiment_by_name(name)
        if found is None:
            place = None
            if self.uri.startswith(SQLITE):
                place = (Path(self.uri.removeprefix(SQLITE)).resolve().parent / "mlruns" / name).as_posix()
            try:
                return str(self.client.create_experiment(name, place))
            except Exception:
                # The other objective's run may have made it a moment ago
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def find(self, experiment_id: str, tag: str, value: str) -> StoredRun | None:
        """The newest run of the experiment with this tag; deleted ones do not count."""
        runs = self.client.search_runs([experiment_id], f"tags.`{tag}` = '{value}'", max_results=1)
        return _stored(runs[0]) if runs else None

    def get(self, run_id: str) -> StoredRun | None:
        """A run by its id, or None if it is not there or deleted."""
        from mlflow.exceptions import MlflowException

        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return _stored(run) if run.info.lifecycle_stage == "active" else None

    def begin(self, experiment_id: str, name: str, tags: Mapping[str, str], start: int) -> StoredRun:
        """Make a run; `start` in ms since 1970."""
        text = {key: value[:LONGEST_VALUE] for key, value in tags.items()}
        return _stored(self.client.create_run(experiment_id, start_time=start, tags=text, run_name=name))

    def log_facts(self, run_id: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Keep parameters and tags. A parameter that the run has already keeps its value."""
        from mlflow.entities import Param, RunTag

        known = self.client.get_run(run_id).data.params
        entries = [Param(name, value[:LONGEST_VALUE]) for name, value in parameters.items() if name not in known]
        for start in range(0, len(entries), PARAMETERS_PER_CALL):
            self.client.log_batch(run_id, params=entries[start : start + PARAMETERS_PER_CALL])
        if tags:
            self.client.log_batch(run_id, tags=[RunTag(name, value[:LONGEST_VALUE]) for name, value in tags.items()])

    def log_points(self, run_id: str, points: Iterable[Point], model: str | None = None) -> None:
        """Send numbers in as few calls as MLflow takes; with `model` they are also the model's.

        Sending the same points again changes nothing.
        """
        from mlflow.entities import Metric

        metrics = [
            Metric(point.name, point.value, point.milliseconds, point.step, **({"model_id": model} if model else {}))
            for point in points
        ]
        for start in range(0, len(metrics), BATCH):
            self.client.log_batch(run_id, metrics=metrics[start : start + BATCH])

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Keep a copy of a file with the run."""
        self.client.log_artifact(run_id, str(path), folder)

    def set_status(self, run_id: str, status: str, end: int | None = None) -> None:
        """RUNNING opens a run again; any other status ends it, at `end` (ms since 1970) or now."""
        if status == "RUNNING":
            self.client.update_run(run_id, status)
        else:
            self.client.set_terminated(run_id, status, end)

    def log_model(self, run: StoredRun, generator: Path, parameters: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """Log the generator's file as a model of the run, with signature and example; returns MLflow's id of it."""
        from mlflow.entities import LoggedModelOutput

        name = f"blindface-{tags.get('model') or tags.get('objective', 'model')}"
        text = {key: value[:LONGEST_VALUE] for key, value in tags.items() if not key.startswith("mlflow.")}
        model = self.client.create_logged_model(
            run.experiment_id, name, source_run_id=run.run_id, tags=text, params=dict(parameters), model_type="restorer"
        )
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            _save_model(folder, generator, model.model_id, run.run_id, tags)
            self.client.log_model_artifacts(model.model_id, str(folder))
        self.client.finalize_logged_model(model.model_id, "READY")
        self.client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, step=0)])
        self._register(name, model, run.run_id, tags)
        self.client.set_tag(run.run_id, MODEL_TAG, model.model_id)
        return str(model.model_id)

    def _register(self, name: str, model: Any, run_id: str, tags: Mapping[str, str]) -> None:
        """A new version of the objective's registered model; the alias `last` moves to the run that ended last."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(name, description="A restorer of Blindface, one version per training.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        kept = {key: tags[key] for key in ("commit", "data", "overlay", WEIGHTS_TAG, "finished") if key in tags}
        version = self.client.create_model_version(
            name, model.artifact_location, run_id, tags=kept, model_id=model.model_id
        )
        link = json.dumps([{"name": name, "version": version.version}])
        self.client.set_logged_model_tags(model.model_id, {MODEL_VERSIONS_TAG: link})
        try:
            before = self.client.get_model_version_by_alias(name, "last").tags.get("finished", "")
        except MlflowException:
            before = ""
        if tags.get("finished", "") >= before:
            self.client.set_registered_model_alias(name, "last", version.version)


def open_store(uri: str) -> Store:
    """The store of a uri. A place that is no MLflow is a class with the methods of `Store`, chosen here."""
    return Store(uri)


def _stored(run: Any) -> StoredRun:
    info, data = run.info, run.data
    return StoredRun(
        run_id=str(info.run_id),
        name=str(info.run_name),
        experiment_id=str(info.experiment_id),
        status=str(info.status),
        metrics=dict(data.metrics),
        model=data.tags.get(MODEL_TAG),
    )


def _save_model(folder: Path, generator: Path, model_id: str, run_id: str, tags: Mapping[str, str]) -> None:
    """Write MLflow's model folder around the generator's file: loaded by `tracking.restorer`, without pickle."""
    import mlflow.pyfunc
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import ParamSchema, ParamSpec, Schema, TensorSpec

    from blindface.tracking.example import blind_example

    example = blind_example(generator)
    shape = (-1, *example.shape[1:])
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), shape)]),
        outputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, 128, 128, 3))]),
        params=ParamSchema([ParamSpec("weights", "string", "ema")]),
    )
    mlflow.pyfunc.save_model(
        folder,
        loader_module="blindface.tracking.restorer",
        data_path=str(generator),
        mlflow_model=Model(model_id=model_id, run_id=run_id),
        signature=signature,
        input_example=example,
        pip_requirements=_requirements(),
        metadata={key: tags[key] for key in ("objective", "commit", WEIGHTS_TAG) if key in tags},
    )


def _requirements() -> Sequence[str]:
    """What the model needs beside Blindface itself, which is on no package index."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for package in ("torch", "numpy", "safetensors", "opencv-python", "mlflow"):
        try:
            found.append(f"{package}=={version(package).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return found


def open_client(uri: str) -> Any:
    """MLflow's client, without its telemetry, its chatter and its minutes of retries."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from mlflow import MlflowClient

    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if not uri.startswith(SQLITE):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    database = Path(uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    # MLflow makes the tables at the first use; two objectives that start together must not both do it.
    with open(database.with_name(f"{database.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    return client


def explain(uri: str, error: Exception) -> InputError:
    """The sentence for a store that cannot be used."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "mlflow":
        return InputError("MLflow is not installed: pip install 'blindface[workflow]' and import again")
    return InputError(f"MLflow's store {uri} cannot be used ({first_line(error)}): mend track.uri")


def first_line(error: BaseException) -> str:
    """What an exception says, without the rest of its page."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
