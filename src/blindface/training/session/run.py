"""A run of training: its data, recipe and position, what is measured of it and what it records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from blindface.base.device import describe_device
from blindface.base.image_table import read_metadata
from blindface.base.progress import say
from blindface.params import TrackParams
from blindface.tracking import Tracker, start_tracking
from blindface.training.data import Batch, ImageSet, count_batches, draw_order, load_set
from blindface.training.online import OnlineDegradation
from blindface.training.recipes import Setup, make_recipe
from blindface.training.session.checkpoint import Checkpoint, random_state, set_random_state
from blindface.training.session.history import TermSums, history_rows, write_history
from blindface.training.session.measuring import Measurer, is_better, judge, load_distance
from blindface.training.session.position import Progress
from blindface.training.session.record import versions, write_results
from blindface.training.session.recorded import RecordedUpdates
from blindface.training.session.resume import HISTORY
from blindface.training.task import Task


class TrainingRun:
    """A run of a task from wherever it stands. identity: what decides its weights, and the code's hash."""

    def __init__(self, task: Task, identity: Mapping[str, Any]) -> None:
        params, objective, files, device = task.params, task.objective, task.files, task.device
        self.task, self.params, self.objective, self.output, self.device = task, params, objective, task.output, device
        self.processes, self.epochs = task.processes, task.block.epochs
        self.identity = dict(identity)
        self.versions = versions()
        self.overlay = ""
        self.progress, self.sums = Progress(), TermSums()
        # Data
        self.images = load_set(files.targets, files.train, files.landmarks, device)
        self.validation: ImageSet | None = None
        if files.validation is not None:
            self.validation = load_set(files.targets, files.validation, files.landmarks, device) or None
        self.batches = count_batches(len(self.images), task.batch_size)
        self.processes.part_of(task.batch_size)
        # Recipe
        self.faces = int(self.images.found.sum())
        setup = Setup(params, objective, device, self.processes, files.perceptual, files.perceptual_missing, self.faces)
        self.recipe = make_recipe(task.recipe, setup)
        for name, reason in self.recipe.left_out.items():
            say(f"{task.model} trains without the {name} loss: {reason}")
        recorded = params.cuda_graph and device.type == "cuda" and self.processes.count == 1
        self._recorded = RecordedUpdates(self.recipe) if recorded else None
        # Measuring, by the leading process alone
        distance = load_distance(files.lpips if self.processes.leads else None, device)
        self.measurer = Measurer(self.recipe, self.images, self.validation, distance)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """The recipe's update, from a recording where there is one."""
        return self.recipe.update(batch) if self._recorded is None else self._recorded.run(batch)

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Take up the position, the tensors and the history of a checkpoint."""
        record = checkpoint.record
        self.recipe.load(checkpoint.tensors)
        set_random_state(checkpoint.tensors, self.device)
        self.progress = Progress.of(record["progress"])
        self.sums = TermSums.of(record["terms"], checkpoint.tensors, self.device)
        if self.progress.epoch < self.epochs:
            say(f"{self.task.model} goes on at epoch {self.progress.epoch + 1}, batch {self.progress.batch + 1}")

    def start_tracking(self, track: TrackParams | None) -> Tracker:
        """The tracker of this run. It follows the files, so the history first is what the checkpoint knows."""
        self.overlay = track.overlay if track else ""
        self._write_history()
        fresh = self.progress.epoch == self.progress.batch == 0
        return start_tracking(track, self.output, self._facts(), fresh)

    def fresh_blinds(self) -> OnlineDegradation:
        """The source of the blind images that this process trains, drawn anew at every epoch; open it by `with`."""
        ids, processes, task = self.images.ids, self.processes, self.task

        def mine(epoch: int) -> NDArray[np.int64]:
            return draw_order(self.params.seed, self.objective, epoch, len(ids), task.batch_size)[processes.mine]

        targets = self.images.targets.cpu().numpy()
        rows = mine if processes.count > 1 else None
        return OnlineDegradation(targets, ids, self.objective, task.pairs, self.epochs, rows)

    def check(self) -> None:
        """Look at the terms, averaged over the processes. Errors: TrainingError if one has exploded."""
        self.sums.average(self.processes)
        self.sums.check(self.task.model, self.progress.epoch, self.recipe.advice)

    def measure_epoch(self) -> bool:
        """Validation, history and samples of the trained epoch; returns whether it is the best one so far."""
        number = self.progress.epoch + 1
        last = number == self.epochs
        sampled = last or number & (number - 1) == 0
        validated = self.validation is not None and (last or number % self.params.validate_every == 0)
        if sampled or validated:
            self.measurer.refresh()
        scores = self.measurer.scores() if validated else []
        self._write_rows(number, scores)
        if sampled:
            self.measurer.write_samples(self.output / "samples" / f"epoch{number:05d}.png")
        found = judge(scores[-1], number) if scores else None
        if found is None or not is_better(found, self.progress.best):
            return False
        self.progress.best = found
        return True

    def _write_rows(self, number: int, scores: list[dict[str, float]]) -> None:
        """Add the epoch to the history, with rates and weights of its last batch."""
        progress = self.progress
        settings = self.recipe.schedule(progress.epoch + (self.batches - 1) / self.batches)
        progress.rows += history_rows(
            number,
            self.recipe.steps,
            self.sums.means() | settings,
            scores,
            progress.epoch_seconds,
            self.batches * self.task.batch_size,
            self.device,
            progress.epoch_waited,
        )
        self._write_history()

    def _write_history(self) -> None:
        write_history(self.output / HISTORY, self.progress.rows, self.recipe.columns)

    def next_epoch(self) -> None:
        """Move to the start of the next epoch."""
        self.progress.next_epoch()
        self.sums = TermSums()

    def checkpoint(self) -> Checkpoint:
        """The position, the tensors and the history."""
        record = {
            "identity": {name: value for name, value in self.identity.items() if name != "code"},
            "code": self.identity["code"],
            "versions": self.versions,
            "progress": self.progress.record(),
            "terms": self.sums.record(),
        }
        tensors = self.recipe.tensors() | random_state(self.device) | self.sums.tensors()
        return Checkpoint(tensors, record)

    def finish(self) -> None:
        """Write the results; the record comes last."""
        self.measurer.refresh()
        self._write_history()
        write_results(self.output, self.recipe, self._facts(), self.progress, self.device)

    def _facts(self) -> dict[str, Any]:
        """What the record holds and is known from the start."""
        files = self.task.files
        return {
            **self.identity,
            "overlay": self.overlay,
            "degradation": self._degradation(),
            "versions": self.versions,
            "device": describe_device(self.device),
            "started": self.progress.started,
            "images": len(self.images),
            "faces": self.faces,
            "validation_images": len(self.validation or ()),
            "batches_per_epoch": self.batches,
            "processes": self.processes.count,
            "losses_left_out": self.recipe.left_out,
            "validation_lpips": "squeeze" if files.lpips else files.lpips_missing or "not given",
        }

    def _degradation(self) -> Any:
        """Parameters of equation (1) behind the training pairs, whether they are drawn anew or fixed."""
        if self.task.block.degradation == "fresh":
            return self.identity["params"]["pairs"]
        found = json.loads(read_metadata(self.task.files.train).get("parameters", "null"))
        return found and {name: value for name, value in found.items() if name != "ranges"} | {
            self.objective: found.get("ranges")
        }
