"""The training of one objective: one flat loop over epochs and batches.

Every batch passes the three progressive steps of `blindface.steps`. The position (epoch, batch) and the checkpoint's
tensors are the whole state: order, mirroring, interpolates and fresh degradations are drawn from the position. So a
run that was killed ends with the same weights to the bit as one that was not, where the device computes
deterministically (the CPU does).

The generator's moving average keeps averaged weights; the statistics of its batch norms are measured anew on
training images of the fixed pairs before every validation and at the end, since averaged statistics do not belong to
averaged weights.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from blindface.device import describe_device
from blindface.packed import read_metadata
from blindface.params import TrackParams
from blindface.progress import say
from blindface.steps import StepRunner, final_weights, weights_at
from blindface.tracking import Tracker, start_tracking
from blindface.training.checkpoint import Checkpoint, CheckpointWriter, random_state, set_random_state
from blindface.training.data import ImageSet, count_batches, draw_epoch, draw_order, load_set
from blindface.training.display import Display
from blindface.training.fresh import FreshBlinds
from blindface.training.history import TermSums, history_rows, write_history
from blindface.training.losses import choose_losses
from blindface.training.measuring import Measurer, is_better, judge, load_distance
from blindface.training.position import Progress
from blindface.training.record import versions, write_results
from blindface.training.resume import GENERATOR, HISTORY, RUN
from blindface.training.state import TrainingState
from blindface.training.stopping import StopRequest
from blindface.training.task import Task, learning_rate_at
from blindface.training.weights_chart import draw_weights

CHECK_EVERY = 100
"""Batches between two looks at the terms; each look waits for the GPU."""
Status = Literal["finished", "interrupted", "time"]
REASONS: tuple[Status | None, ...] = (None, "time", "interrupted")
"""To stop: of several processes' reasons the last one counts."""


class TrainingRun:
    """A run of a task from wherever it stands. identity: what decides its weights, and the code's hash."""

    def __init__(self, task: Task, identity: Mapping[str, Any]) -> None:
        params, objective, files, device = task.params, task.objective, task.files, task.device
        self.processes = task.processes
        self.task, self.params, self.objective, self.output, self.device = task, params, objective, task.output, device
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
        self.runner = StepRunner(
            self.state.generator,
            self.state.discriminator,
            losses,
            self.state.optimisers,
            active=final_weights(self.choice),
            precision=params.precision,
            compile=params.compile and device.type == "cuda",
            average_gradients=self.processes.average_gradients if self.processes.count > 1 else None,
        )
        # Measuring, by the leading process alone
        distance = load_distance(files.lpips if self.processes.leads else None, device)
        self.measurer = Measurer(self.state.average, self.images, self.validation, task.choice.batch_size, distance)

    def loop(self, stop: StopRequest, tracker: Tracker | None) -> Status:
        """Train from the present position to the end, or until `stop` has a reason. tracker: the leader's."""
        params, state, progress = self.params, self.state, self.progress
        with ExitStack() as stack:
            writer = self._open(stack) if self.processes.leads else None
            fresh = stack.enter_context(self._fresh()) if params.degradation == "fresh" else None
            done = progress.epoch * self.batches + progress.batch
            display = stack.enter_context(Display(self.objective, params.epochs, self.batches, done))
            saved, moved = time.monotonic(), False

            while progress.epoch < params.epochs:
                # Draws of the epoch: functions of its number, not of what went before
                started = time.monotonic()
                draws = draw_epoch(
                    params.seed,
                    self.objective,
                    progress.epoch,
                    self.images.ids,
                    self.choice.batch_size,
                    params.flip,
                    self.device,
                ).part(self.processes)
                blinds = None if fresh is None else fresh.take(progress.epoch, self.device)
                progress.epoch_waited += time.monotonic() - started

                # Batches
                while progress.batch < self.batches:
                    # None is due before the first batch: it would hold what there is already
                    late = moved and time.monotonic() - saved > params.checkpoint_seconds
                    reason, due = self._agree(stop.reason(), late)
                    if reason is not None:
                        progress.epoch_seconds += time.monotonic() - started
                        self._save(writer)
                        if writer is not None:
                            writer.wait()
                        if tracker is not None:
                            tracker.finish("KILLED")
                        return reason
                    if due:
                        progress.epoch_seconds += time.monotonic() - started
                        self._save(writer)
                        started = saved = time.monotonic()
                        moved = False
                    place = progress.epoch + progress.batch / self.batches
                    state.set_learning_rate(learning_rate_at(params, place))
                    batch = self.images.batch(*draws.of(progress.batch), blinds)
                    self.sums.add(self.runner.run(batch, weights_at(self.choice, place)))
                    state.after_batch()
                    progress.batch += 1
                    moved = True
                    display.batch()
                    if progress.batch % CHECK_EVERY == 0:
                        self._check()

                # End of the epoch: what has been trained is checked before it is measured and kept
                self._check()
                progress.epoch_seconds += time.monotonic() - started
                best = self.processes.leads and self._measure()
                progress.next_epoch()
                self.sums = TermSums()
                if self.processes.leads:
                    display.epoch(progress.epoch, progress.rows[-3:])
                self._save(writer, best)
                saved, moved = time.monotonic(), False

            # Results
            if writer is not None:
                writer.wait()
                self._finish()
            return "finished"

    def _open(self, stack: ExitStack) -> CheckpointWriter:
        """Begin to write: without the results of an earlier run."""
        for name in (GENERATOR, RUN):
            (self.output / name).unlink(missing_ok=True)
        writer = CheckpointWriter(self.output / "checkpoints", self.params.checkpoints)
        stack.callback(writer.close)
        return writer

    def _agree(self, reason: Status | None, due: bool) -> tuple[Status | None, bool]:
        """Whether to stop, and whether a checkpoint is due, in all processes alike: signals and clocks differ."""
        worst, late = self.processes.most(REASONS.index(reason), int(due))
        return REASONS[worst], bool(late)

    def _check(self) -> None:
        """Look at the terms, averaged over the processes. Errors: TrainingError if one has exploded."""
        self.sums.sums = self.processes.average(self.sums.sums)
        self.sums.check(self.objective, self.progress.epoch)

    def start_tracking(self, track: TrackParams | None) -> Tracker:
        """The tracker of this run. It follows the files, so the history first is what the checkpoint knows."""
        self.overlay = track.overlay if track else ""
        write_history(self.output / HISTORY, self.progress.rows)
        draw_weights(self.choice, self.params.epochs, self.output / "weights.svg")
        fresh = self.progress.epoch == self.progress.batch == 0
        return start_tracking(track, self.output, self._facts(), fresh)

    def _measure(self) -> bool:
        """Close an epoch: validation, history, samples; returns whether it is the best one so far."""
        params, progress = self.params, self.progress
        number = progress.epoch + 1
        last = number == params.epochs
        sampled = last or number & (number - 1) == 0
        validated = self.validation is not None and (last or number % params.validate_every == 0)
        if sampled or validated:
            self.measurer.recalibrate()
        scores = self.measurer.scores() if validated else []
        place = progress.epoch + (self.batches - 1) / self.batches
        rows = history_rows(
            number,
            self.sums.means(),
            weights_at(self.choice, place),
            scores,
            learning_rate_at(params, place),
            progress.epoch_seconds,
            self.batches * self.choice.batch_size,
            self.device,
            progress.epoch_waited,
        )
        progress.rows += rows
        write_history(self.output / HISTORY, progress.rows)
        if sampled:
            self.measurer.write_samples(self.output / "samples" / f"epoch{number:05d}.png")
        found = judge(scores[-1], number) if scores else None
        if found is None or not is_better(found, progress.best):
            return False
        progress.best = found
        return True

    def _finish(self) -> None:
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

    def _fresh(self) -> FreshBlinds:
        targets = self.images.targets.cpu().numpy()
        ids, objective, params, processes = self.images.ids, self.objective, self.params, self.processes

        def mine(epoch: int) -> NDArray[np.int64]:
            order = draw_order(params.seed, objective, epoch, len(ids), self.choice.batch_size)
            return order[processes.rank :: processes.count]

        return FreshBlinds(
            targets, ids, objective, self.task.pairs, params.epochs, mine if processes.count > 1 else None
        )

    def _save(self, writer: CheckpointWriter | None, best: bool = False) -> None:
        """Write a checkpoint of the position, after a look at the terms; without a writer only look."""
        self._check()
        if writer is None:
            return
        record = {
            "identity": {name: value for name, value in self.identity.items() if name != "code"},
            "code": self.identity["code"],
            "versions": self.versions,
            "progress": self.progress.record(),
            "terms": self.sums.names,
            "term_batches": self.sums.batches,
        }
        tensors = self.state.tensors() | random_state(self.device) | {"terms": self.sums.sums}
        writer.save(Checkpoint(tensors, record), self.progress.epoch, self.progress.batch, best)

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
