"""One run of MLflow, kept in step with a model's folder: while it grows, and once it is finished."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blindface.base.files import read_json
from blindface.tracking import record
from blindface.tracking.note import TrackedRun, write_note
from blindface.tracking.store import RECORD_TAG, Store


class RunWriter:
    """Finds the run of these facts in the store, or makes it, and sends what the folder holds and MLflow lacks.

    Every step may be repeated: a cut-off writing is completed by the next one, and what is sent twice counts once.
    facts: run.json, or as much of it as is known at the start. May raise whatever MLflow raises.
    """

    def __init__(self, store: Store, folder: Path, experiment: str, facts: Mapping[str, Any], name: str | None) -> None:
        self.store, self.folder, self.facts = store, folder, facts
        key = record.record_key(facts)
        experiment_id = store.experiment(experiment)
        found = store.find(experiment_id, RECORD_TAG, key)
        self.complete = found is not None and found.status == "FINISHED" and found.model is not None
        self.new = found is None
        if found is None:
            tags = {**record.tags_of(facts), RECORD_TAG: key}
            start = record.milliseconds(facts.get("started"), 0)
            found = store.begin(experiment_id, name or record.name_run(facts), tags, start)
        self.run = found
        self._history: int | None = None
        self._epochs: set[int] = set()
        self._lines = 0
        self._samples: dict[Path, int] = {}
        write_note(folder, TrackedRun(store.uri, experiment, experiment_id, found.run_id, found.name, key))

    def open(self) -> None:
        """Say what the run is, and that it runs."""
        self.store.set_status(self.run.run_id, "RUNNING")
        self.store.log_facts(self.run.run_id, record.parameters_of(self.facts), record.tags_of(self.facts))

    def send_news(self, started: int = 0, finished: int = 0) -> None:
        """Send the epochs, system metrics and samples that were not sent yet.

        started, finished: ms since 1970, for histories without times of their own.
        """
        path = self.folder / record.HISTORY
        changed = path.stat().st_mtime_ns if path.exists() else None
        if changed is not None and changed != self._history:
            points = record.history_points(record.read_history(path), started, finished)
            self.store.log_points(self.run.run_id, [point for point in points if point.step not in self._epochs])
            self._epochs |= {point.step for point in points}
            self._history = changed
        lines = record.read_system(self.folder / record.SYSTEM)
        self.store.log_points(self.run.run_id, [point for line in lines[self._lines :] for point in line])
        self._lines = len(lines)
        for path in sorted((self.folder / record.SAMPLES).glob("epoch*.png")):
            number, changed = int(re.sub(r"\D", "", path.stem) or 0), path.stat().st_mtime_ns
            # A sample of an epoch that the history lacks is one of an earlier run
            if number in self._epochs and self._samples.get(path) != changed:
                self.store.log_file(self.run.run_id, path, record.SAMPLES)
                self._samples[path] = changed

    def finish(self) -> None:
        """Send all of a finished run, its model among it, and end it at its own time. Errors: InputError (files)."""
        facts = read_json(self.folder / record.RUN)
        history = self.folder / record.HISTORY
        record.read_history(history)
        started, finished = record.run_times(facts, history)
        run_id = self.run.run_id
        parameters = record.parameters_of(facts)
        tags = record.tags_of(facts) | {"finished": str(facts.get("finished", ""))}
        self.store.log_facts(run_id, parameters, tags)
        self.send_news(started, finished)
        for name in (record.RUN, record.HISTORY, record.SYSTEM):
            if (self.folder / name).exists():
                self.store.log_file(run_id, self.folder / name)
        model = self.run.model
        if model is None and (self.folder / record.GENERATOR).exists():
            model = self.store.log_model(self.run, self.folder / record.GENERATOR, parameters, tags)
        summary = record.summary_points(facts, max(self._epochs, default=0))
        self.store.log_points(run_id, summary, model)
        self.store.set_status(run_id, "FINISHED", finished)

    def leave(self, status: str) -> None:
        """End a run that left no results."""
        self.send_news()
        self.store.set_status(self.run.run_id, status)
