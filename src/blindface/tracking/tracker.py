"""A run that is tracked while it trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

from blindface.progress import say
from blindface.tracking import store

Status = Literal["FINISHED", "FAILED", "KILLED"]

FLUSH_SECONDS = 5.0
REMEDY = "training goes on; bring the run in later with 'blindface import-run --model-dir DIR'"


class Tracker(Protocol):
    """What a training run tells while it goes on. Use it in a `with` block, which ends the run."""

    def __enter__(self) -> Tracker: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Remember numbers at an epoch; they are sent in batches."""

    def log_artifact(self, path: Path) -> None:
        """Keep a copy of a file with the run."""

    def finish(self, status: Status = "FINISHED") -> None:
        """Send what is left and end the run. Further calls do nothing."""


class SilentTracker:
    """Tracks nothing: for an empty uri, or where MLflow is not installed or not reachable."""

    def __enter__(self) -> SilentTracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def log_artifact(self, path: Path) -> None:
        """Do nothing."""

    def finish(self, status: Status = "FINISHED") -> None:
        """Do nothing."""


class MlflowTracker:
    """One MLflow run. Every failure after its start is told once and ends the tracking, not the training."""

    def __init__(self, client: Any, run_id: str) -> None:
        self.run_id = run_id
        self._client = client
        self._waiting: list[Any] = []
        self._sent_at = time.monotonic()
        self._over = False

    def __enter__(self) -> MlflowTracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish("FINISHED")
        else:
            self.finish("KILLED" if issubclass(kind, KeyboardInterrupt | SystemExit) else "FAILED")

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Remember numbers at an epoch; they are sent when many wait or some seconds have passed."""
        if self._over:
            return
        self._waiting += store.to_metrics(metrics, step, int(time.time() * 1000))
        if len(self._waiting) >= store.BATCH or time.monotonic() - self._sent_at > FLUSH_SECONDS:
            self._guarded(self._flush)

    def log_artifact(self, path: Path) -> None:
        """Keep a copy of a file with the run."""
        self._guarded(lambda: self._client.log_artifact(self.run_id, str(path)))
        if path.name == "run.json" and (path.parent / "history.csv").exists():
            # The whole run is here: importing it later would make a second one of it
            self._guarded(lambda: self._client.set_tag(self.run_id, store.RECORD_TAG, store.record_key(path.parent)))

    def finish(self, status: Status = "FINISHED") -> None:
        """Send what is left and end the run. Further calls do nothing."""
        self._guarded(self._flush)
        self._guarded(lambda: self._client.set_terminated(self.run_id, status))
        self._over = True

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._sent_at = time.monotonic()
        store.send(self._client, self.run_id, waiting)

    def _guarded(self, action: Callable[[], object]) -> None:
        if self._over:
            return
        try:
            action()
        except Exception as error:
            self._over = True
            say(f"blindface: MLflow failed ({store.first_line(error)}); {REMEDY}")


def start_tracking(
    uri: str,
    experiment: str,
    run_name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, Any],
) -> Tracker:
    """Begin a run. Returns a silent tracker if `uri` is empty, MLflow is missing or its store cannot be used.

    params: nested, flattened with dots. tags: such as commit, data hash, device, objective; None values are left out.
    """
    if not uri:
        return SilentTracker()
    try:
        client = store.open_client(uri)
        run_id = store.create_run(client, experiment, run_name, tags, None)
        store.log_params(client, run_id, params)
    except ModuleNotFoundError:
        say(f"blindface: MLflow is not installed, the run is not tracked; {REMEDY}")
        return SilentTracker()
    except Exception as error:
        say(f"blindface: MLflow's store {uri} cannot be used ({store.first_line(error)}); {REMEDY}")
        return SilentTracker()
    return MlflowTracker(client, run_id)
