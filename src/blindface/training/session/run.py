"""A run of training: its data, losses, networks and position, what is measured of it and what it records.

The generator's moving average keeps averaged weights; the statistics of its batch norms are measured anew on
training images of the fixed pairs before every validation and at the end, since averaged statistics do not belong to
averaged weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blindface.base.device import describe_device
from blindface.base.image_table import read_metadata
from blindface.base.progress import say
from blindface.params import TrackParams
from blindface.shifting import Shifts, draw_shifts
from blindface.tracking import Tracker, start_tracking
from blindface.training.data import ImageSet, count_batches, draw_order, load_set
from blindface.training.online import FreshBlinds
from blindface.training.recipes.progressive.losses import choose_losses
from blindface.training.recipes.progressive.schedule import final_weights, weights_at
from blindface.training.recipes.progressive.steps import Losses, StepRunner
from blindface.training.session.checkpoint import Checkpoint, random_state, set_random_state
from blindface.training.session.history import TermSums, history_rows, write_history
from blindface.training.session.measuring import Measurer, is_better, judge, load_distance
from blindface.training.session.position import Progress
from blindface.training.session.record import versions, write_results
from blindface.training.session.recorded import RecordedSteps
from blindface.training.session.resume import HISTORY
from blindface.training.state import TrainingState
from blindface.training.task import Task, learning_rate_at
from blindface.training.weights_chart import draw_weights


class TrainingRun:
    """A run of a task from wherever it stands. identity: what decides its weights, and the code's hash."""

    def __init__(self, task: Task, identity: Mapping[str, Any]) -> None:
        params, objective, files, device = task.params, task.objective, task.files, task.device
        self.task, self.params, self.objective, self.output, self.device = task, params, objective, task.output, device
        self.processes = task.processes
        self.identity = dict(identity)
        self.versions = versions()
        self.overlay = ""
        self.progress, self.sums = Progress(), TermSums()
        # Data
        self.images = load_set(files.targets, files.train, files.landmarks, device)
        self.validation: ImageSet | None = None
        if files.validation is not None:
            self.validation = load_set(files.targets, files.validation, files.landmarks, device) or None
        self.batches = count_batches(len(self.images), task.choice.batch_size)
        self.processes.part_of(task.choice.batch_size)
        # Losses
        self.faces = int(self.images.found.sum())
        self.choice, losses, self.left_out = choose_losses(
            params, task.choice, files.perceptual, files.perceptual_missing, self.faces, device
        )
        for name, reason in self.left_out.items():
            say(f"{objective} trains without the {name} loss: {reason}")
        # Networks
        self.state = TrainingState(params, objective, self.choice, device, self.processes)
        self.runner = self._runner(losses)
        # Measuring, by the leading process alone
        distance = load_distance(files.lpips if self.processes.leads else None, device)
        self.measurer = Measurer(self.state.average, self.images, self.validation, task.choice.batch_size, distance)

    def _runner(self, losses: Losses) -> StepRunner | RecordedSteps:
        state, params = self.state, self.params
        runner = StepRunner(
            state.generator,
            state.discriminator,
            losses,
            state.optimisers,
            active=final_weights(self.choice),
            precision=params.precision,
            compile=params.compile and self.device.type == "cuda",
            average_gradients=self.processes.average_gradients if self.processes.count > 1 else None,
            face_discriminator=state.face_discriminator,
        )
        recorded = params.cuda_graph and self.device.type == "cuda" and self.processes.count == 1
        return RecordedSteps(runner) if recorded else runner

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Take up the position, the tensors and the history of a checkpoint."""
        record = checkpoint.record
        self.state.load(checkpoint.tensors)
        set_random_state(checkpoint.tensors, self.device)
        self.progress = Progress.of(record["progress"])
        self.sums.names, self.sums.batches = tuple(record["terms"]), record["term_batches"]
        self.sums.sums = checkpoint.tensors["terms"].to(self.device)
        if self.progress.epoch < self.params.epochs:
            say(f"{self.objective} goes on at epoch {self.progress.epoch + 1}, batch {self.progress.batch + 1}")

    def start_tracking(self, track: TrackParams | None) -> Tracker:
        """The tracker of this run. It follows the files, so the history first is what the checkpoint knows."""
        self.overlay = track.overlay if track else ""
        write_history(self.output / HISTORY, self.progress.rows)
        draw_weights(self.choice, self.params.epochs, self.output / "weights.svg")
        fresh = self.progress.epoch == self.progress.batch == 0
        return start_tracking(track, self.output, self._facts(), fresh)

    def fresh_blinds(self) -> FreshBlinds:
        """The source of the blind images that this process trains, drawn anew at every epoch; open it by `with`."""
        targets = self.images.targets.cpu().numpy()
        ids, objective, params, processes = self.images.ids, self.objective, self.params, self.processes

        def mine(epoch: int) -> NDArray[np.int64]:
            order = draw_order(params.seed, objective, epoch, len(ids), self.choice.batch_size)
            return order[processes.rank :: processes.count]

        def moves(epoch: int) -> Shifts:
            return draw_shifts(params.seed, epoch, ids, params.shift)

        return FreshBlinds(
            targets,
            ids,
            objective,
            self.task.pairs,
            params.epochs,
            mine if processes.count > 1 else None,
            moves if params.shift else None,
        )

    def check(self) -> None:
        """Look at the terms, averaged over the processes. Errors: TrainingError if one has exploded."""
        self.sums.sums = self.processes.average(self.sums.sums)
        self.sums.check(self.objective, self.progress.epoch)

    def measure_epoch(self) -> bool:
        """Validation, history and samples of the trained epoch; returns whether it is the best one so far."""
        number = self.progress.epoch + 1
        last = number == self.params.epochs
        sampled = last or number & (number - 1) == 0
        validated = self.validation is not None and (last or number % self.params.validate_every == 0)
        if sampled or validated:
            self.measurer.recalibrate()
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
        """Add the epoch to the history, with learning rate and weights of its last batch."""
        progress = self.progress
        place = progress.epoch + (self.batches - 1) / self.batches
        progress.rows += history_rows(
            number,
            self.sums.means(),
            weights_at(self.choice, place),
            scores,
            learning_rate_at(self.params, place),
            progress.epoch_seconds,
            self.batches * self.choice.batch_size,
            self.device,
            progress.epoch_waited,
        )
        write_history(self.output / HISTORY, progress.rows)

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
            "terms": self.sums.names,
            "term_batches": self.sums.batches,
        }
        tensors = self.state.tensors() | random_state(self.device) | {"terms": self.sums.sums}
        return Checkpoint(tensors, record)

    def finish(self) -> None:
        """Write the results; the record comes last."""
        self.measurer.recalibrate()
        write_history(self.output / HISTORY, self.progress.rows)
        write_results(self.output, self.state, self._facts(), self.progress, self.device)

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
            "losses_left_out": self.left_out,
            "validation_lpips": "squeeze" if files.lpips else files.lpips_missing or "not given",
        }

    def _degradation(self) -> Any:
        """Parameters of equation (1) behind the training pairs, whether they are drawn anew or fixed."""
        if self.params.degradation == "fresh":
            return self.identity["params"]["pairs"]
        found = json.loads(read_metadata(self.task.files.train).get("parameters", "null"))
        return found and {name: value for name, value in found.items() if name != "ranges"} | {
            self.objective: found.get("ranges")
        }
