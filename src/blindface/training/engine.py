"""The training of one objective: one flat loop over epochs and batches.

Every batch passes the three progressive steps of `blindface.steps`. The position (epoch, batch) and the checkpoint's
tensors are the whole state: order, mirroring, interpolates and fresh degradations are drawn from the position. So a
run that was killed ends with the same weights to the bit as one that was not, where the device computes
deterministically (the CPU does).

The generator's moving average keeps averaged weights; the statistics of its batch norms are measured anew on
training images of the fixed pairs before every validation and at the end, since averaged statistics do not belong to
averaged weights.

Written to the output folder: checkpoints/, samples/, history.csv as it grows, and at the end generator.safetensors,
then run.json, which says that the run is finished.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from blindface.device import describe_device, numeric_policy
from blindface.errors import DeviceError
from blindface.networks import recalibrate
from blindface.params import Objective, PairsParams, TrackParams, TrainParams
from blindface.progress import say
from blindface.steps import StepRunner, final_weights, weights_at
from blindface.tracking import Tracker, start_tracking
from blindface.training.checkpoint import (
    Checkpoint,
    CheckpointWriter,
    clear_checkpoints,
    random_state,
    set_random_state,
)
from blindface.training.data import ImageSet, count_batches, draw_epoch, load_set
from blindface.training.display import Display
from blindface.training.fresh import FreshBlinds
from blindface.training.history import TermSums, history_rows, named_by_step, write_history
from blindface.training.losses import choose_losses
from blindface.training.position import Progress
from blindface.training.record import hash_code, identify, versions, write_results
from blindface.training.resume import GENERATOR, HISTORY, RUN, find_checkpoint, find_finished, only_one
from blindface.training.state import TrainingState
from blindface.training.stopping import StopRequest
from blindface.training.validation import iterate_batches, validate, write_samples

CHECK_EVERY = 100
"""Batches between two looks at the terms; each look waits for the GPU."""
RECALIBRATION_IMAGES = 2048
VALIDATION_BATCH = 32
Status = Literal["finished", "interrupted", "time"]


@dataclass(frozen=True)
class TrainFiles:
    """What is read: targets, the pairs of both parts, landmarks, and the perceptual backbone's weights or why not."""

    targets: Path
    train: Path
    validation: Path | None = None
    landmarks: Path | None = None
    perceptual: Path | None = None
    perceptual_missing: str | None = None


def train(
    params: TrainParams,
    objective: Objective,
    files: TrainFiles,
    output: Path,
    *,
    pairs: PairsParams | None = None,
    track: TrackParams | None = None,
    device: torch.device | str = "cpu",
    time_limit: float | None = None,
    restart: bool = False,
) -> Status:
    """Train one objective into the folder `output`, going on from its newest checkpoint.

    pairs: the degradation, for fresh draws; track: where the run is tracked, None: nowhere; time_limit: seconds after
    which a checkpoint is written and the run left; restart: delete what the folder holds of an earlier run. Returns how
    the run was left; only `finished` leaves results.
    Errors: ParameterError (other parameters than those of the run in the folder, too few images), InputError (files),
    TrainingError (explosion, another process in the folder), DeviceError (memory).
    """
    device, output, pairs = torch.device(device), Path(output), pairs or PairsParams()
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest(time_limit))
        stack.enter_context(only_one(output))
        inputs = {name: getattr(files, name) for name in ("targets", "train", "validation", "landmarks", "perceptual")}
        identity, code = identify(params, objective, pairs, inputs), hash_code()
        if restart:
            clear_checkpoints(output / "checkpoints")
        elif find_finished(output, identity, code) is not None:
            say(f"{objective} is trained already: {output / GENERATOR}")
            return "finished"
        checkpoint = find_checkpoint(output / "checkpoints", identity, code)
        stack.enter_context(numeric_policy(params.precision, params.deterministic))
        try:
            run = _Run(params, objective, files, output, pairs, device, {**identity, "code": code})
            if checkpoint is not None:
                run.go_on_from(checkpoint)
            with run.start_tracking(track) as tracker:
                return run.loop(stop, tracker)
        except torch.cuda.OutOfMemoryError as error:
            raise DeviceError(_memory_advice(params, objective)) from error


class _Run:
    """One call of `train`, after the folder has been looked at. identity: that of the run, and the code's hash."""

    def __init__(
        self,
        params: TrainParams,
        objective: Objective,
        files: TrainFiles,
        output: Path,
        pairs: PairsParams,
        device: torch.device,
        identity: Mapping[str, Any],
    ) -> None:
        self.params, self.objective, self.output = params, objective, output
        self.pairs, self.device, self.identity = pairs, device, dict(identity)
        self.versions = versions()
        self.progress, self.sums = Progress(), TermSums()
        # Data
        self.images = load_set(files.targets, files.train, files.landmarks, device)
        self.validation: ImageSet | None = None
        if files.validation is not None:
            self.validation = load_set(files.targets, files.validation, files.landmarks, device)
        choice = params.objective1 if objective == "objective1" else params.objective2
        self.batches = count_batches(len(self.images), choice.batch_size)
        # Losses
        self.faces = int(self.images.found.sum())
        self.choice, losses, self.left_out = choose_losses(
            params, choice, files.perceptual, files.perceptual_missing, self.faces, device
        )
        for name, reason in self.left_out.items():
            say(f"{objective} trains without the {name} loss: {reason}")
        # Networks
        self.state = TrainingState(params, objective, self.choice, device)
        self.runner = StepRunner(
            self.state.generator,
            self.state.discriminator,
            losses,
            self.state.optimisers,
            active=final_weights(self.choice),
            precision=params.precision,
            compile=params.compile and device.type == "cuda",
        )

    def loop(self, stop: StopRequest, tracker: Tracker) -> Status:
        """Train from the present position to the end, or until `stop` has a reason."""
        params, state, progress = self.params, self.state, self.progress
        for name in (GENERATOR, RUN):
            (self.output / name).unlink(missing_ok=True)
        with ExitStack() as stack:
            writer = CheckpointWriter(self.output / "checkpoints", params.checkpoints)
            stack.callback(writer.close)
            fresh = stack.enter_context(self._fresh()) if params.degradation == "fresh" else None
            done = progress.epoch * self.batches + progress.batch
            display = stack.enter_context(Display(self.objective, params.epochs, self.batches, done))
            saved = time.monotonic()

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
                )
                blinds = None if fresh is None else fresh.take(progress.epoch, self.device)

                # Batches
                while progress.batch < self.batches:
                    if reason := stop.reason():
                        progress.epoch_seconds += time.monotonic() - started
                        self._save(writer)
                        writer.wait()
                        tracker.finish("KILLED")
                        return reason
                    if time.monotonic() - saved > params.checkpoint_seconds:
                        progress.epoch_seconds += time.monotonic() - started
                        self._save(writer)
                        started = saved = time.monotonic()
                    place = progress.epoch + progress.batch / self.batches
                    state.set_learning_rate(learning_rate_at(params, place))
                    batch = self.images.batch(*draws.of(progress.batch), blinds)
                    self.sums.add(self.runner.run(batch, weights_at(self.choice, place)))
                    state.after_batch()
                    progress.batch += 1
                    display.batch()
                    if progress.batch % CHECK_EVERY == 0:
                        self.sums.check(self.objective, progress.epoch)

                # End of the epoch: what has been trained is checked before it is measured and kept
                self.sums.check(self.objective, progress.epoch)
                progress.epoch_seconds += time.monotonic() - started
                best = self._measure(tracker)
                display.epoch(progress.epoch, progress.rows[-3:])
                self._save(writer, best)
                saved = time.monotonic()

            # Results
            writer.wait()
            self._finish(tracker)
            return "finished"

    def start_tracking(self, track: TrackParams | None) -> Tracker:
        """Begin the tracker's run, with the epochs trained so far."""
        tags = {
            "objective": self.objective,
            "versions": self.versions,
            "data": self.identity["data"],
            "device": describe_device(self.device),
        }
        where = track or TrackParams(uri="")
        tracker = start_tracking(where.uri, where.experiment, self.objective, self.identity["params"], tags)
        for start in range(0, len(self.progress.rows), 3):
            rows = self.progress.rows[start : start + 3]
            tracker.log_metrics(named_by_step(rows), rows[0]["epoch"])
        return tracker

    def _measure(self, tracker: Tracker) -> bool:
        """Close an epoch: validation, history, samples; returns whether it is the best one so far."""
        params, progress = self.params, self.progress
        number = progress.epoch + 1
        last = number == params.epochs
        sampled = last or number & (number - 1) == 0
        validated = self.validation is not None and (last or number % params.validate_every == 0)
        if sampled or validated:
            self._recalibrate()
        scores = (
            validate(self.state.average, self.validation, VALIDATION_BATCH) if validated and self.validation else []
        )
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
        )
        progress.rows += rows
        progress.next_epoch()
        self.sums = TermSums()
        write_history(self.output / HISTORY, progress.rows)
        tracker.log_metrics(named_by_step(rows), number)
        if sampled:
            shown = self.validation if self.validation else self.images
            path = self.output / "samples" / f"epoch{number:05d}.png"
            tracker.log_artifact(write_samples(self.state.average, shown, path))
        better = bool(scores) and (progress.best is None or scores[-1]["psnr"] > progress.best)
        if better:
            progress.best = scores[-1]["psnr"]
        return better

    def _recalibrate(self) -> None:
        """Measure the batch statistics of the averaged weights on the first training images."""
        size = self.choice.batch_size
        whole = min(self.batches, max(RECALIBRATION_IMAGES // size, 1))
        recalibrate(self.state.average, (batch.blind for batch in iterate_batches(self.images, size, whole)))

    def _finish(self, tracker: Tracker) -> None:
        """Write the results; the record comes last."""
        self._recalibrate()
        write_history(self.output / HISTORY, self.progress.rows)
        facts = {
            **self.identity,
            "versions": self.versions,
            "images": len(self.images),
            "faces": self.faces,
            "validation_images": len(self.validation or ()),
            "batches_per_epoch": self.batches,
            "losses_left_out": self.left_out,
        }
        write_results(self.output, self.state, facts, self.progress, self.device)
        tracker.log_artifact(self.output / GENERATOR)
        tracker.log_artifact(self.output / RUN)

    def _fresh(self) -> FreshBlinds:
        targets = self.images.targets.cpu().numpy()
        return FreshBlinds(targets, self.images.ids, self.objective, self.pairs, self.params.epochs)

    def _save(self, writer: CheckpointWriter, best: bool = False) -> None:
        """Write a checkpoint of the position, after a look at the terms."""
        self.sums.check(self.objective, self.progress.epoch)
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


def learning_rate_at(params: TrainParams, epoch: float) -> float:
    """The learning rate at an epoch (from 0, with fractions): constant, then linearly towards zero at the end."""
    if params.learning_rate_decay == 0:
        return params.learning_rate
    left = (params.epochs - epoch) / (params.learning_rate_decay * params.epochs)
    return params.learning_rate * min(1.0, left)


def _memory_advice(params: TrainParams, objective: Objective) -> str:
    choice = params.objective1 if objective == "objective1" else params.objective2
    half = max(choice.batch_size // 2, 1)
    precision = "" if params.precision == "bf16" else ", or train.precision to bf16"
    return (
        f"the GPU's memory does not suffice to train {objective} with batches of {choice.batch_size}: set "
        f"train.{objective}.batch_size to {half} or less{precision}; a run that began is kept in its checkpoints"
    )
