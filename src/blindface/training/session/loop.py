"""The loop of a training run over its epochs and batches.

The position (epoch, batch) and the checkpoint's tensors are the whole state: order, mirroring, random numbers and
fresh degradations are drawn from the position. So a run that was killed ends with the same weights to the bit as one
that was not, where the device computes deterministically (the CPU does).
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Literal

from torch import Tensor

from blindface.tracking import Tracker
from blindface.training.data import EpochOrder, draw_epoch
from blindface.training.monitor.display import Display
from blindface.training.session.checkpoint import CheckpointWriter
from blindface.training.session.resume import GENERATOR, RUN
from blindface.training.session.run import TrainingRun
from blindface.training.session.stopping import StopRequest

CHECK_EVERY = 100
"""Batches between two looks at the terms; each look waits for the GPU."""
Status = Literal["finished", "interrupted", "time"]
REASONS: tuple[Status | None, ...] = (None, "time", "interrupted")
"""To stop: of several processes' reasons the last one counts."""


def train_to_the_end(run: TrainingRun, stop: StopRequest, tracker: Tracker | None) -> Status:
    """Train from the run's position to the end, or until `stop` has a reason. tracker: the leading process's."""
    with ExitStack() as stack:
        loop = Loop(run, stop, stack)
        while run.progress.epoch < run.epochs:
            reason = loop.train_epoch()
            if reason is not None:
                if tracker is not None:
                    tracker.finish("KILLED")
                return reason
            loop.close_epoch()
        if loop.writer is not None:
            loop.writer.wait()
            run.finish()
        return "finished"


class Loop:
    """Takes a run forward by epochs, keeps the time, and saves. What it opens is closed with `stack`."""

    def __init__(self, run: TrainingRun, stop: StopRequest, stack: ExitStack) -> None:
        self.run, self.stop, progress = run, stop, run.progress
        self.writer = _open_writer(run, stack) if run.processes.leads else None
        fresh = run.task.block.degradation == "fresh"
        self.fresh = stack.enter_context(run.fresh_blinds()) if fresh else None
        done = progress.epoch * run.batches + progress.batch
        self.display = stack.enter_context(Display(run.task.model, run.epochs, run.batches, done, run.recipe.told))
        self.started = self.saved = time.monotonic()
        self.moved = False

    def train_epoch(self) -> Status | None:
        """Train what is left of the present epoch; returns the reason if it was left before its end."""
        progress = self.run.progress
        self.started = time.monotonic()
        order, blinds = self._draw()
        progress.epoch_waited += time.monotonic() - self.started
        while progress.batch < self.run.batches:
            reason = self._pause()
            if reason is not None:
                return reason
            self._train_batch(order, blinds)
        # What has been trained is checked before it is measured and kept
        self.run.check()
        self._count_time()
        return None

    def _draw(self) -> tuple[EpochOrder, Tensor | None]:
        """The order of the epoch, a function of its number and not of what went before, and its fresh blind images."""
        run, epoch = self.run, self.run.progress.epoch
        ids, flip = run.images.ids, run.task.block.flip
        order = draw_epoch(run.params.seed, run.objective, epoch, ids, run.task.batch_size, flip, run.device)
        return order.part(run.processes), None if self.fresh is None else self.fresh.take(epoch, run.device)

    def _pause(self) -> Status | None:
        """Between two batches: save where that is due or the run is to stop; returns the reason to stop."""
        # None is due before the first batch: it would hold what there is already
        late = self.moved and time.monotonic() - self.saved > self.run.params.checkpoint_seconds
        reason, due = self._agree(self.stop.reason(), late)
        if reason is not None or due:
            self._count_time()
            self._save()
            self.started = self.saved
        if reason is not None and self.writer is not None:
            self.writer.wait()
        return reason

    def _agree(self, reason: Status | None, due: bool) -> tuple[Status | None, bool]:
        """Whether to stop, and whether a checkpoint is due, in all processes alike: signals and clocks differ."""
        worst, late = self.run.processes.most(REASONS.index(reason), int(due))
        return REASONS[worst], bool(late)

    def _train_batch(self, order: EpochOrder, blinds: Tensor | None) -> None:
        run, progress, recipe = self.run, self.run.progress, self.run.recipe
        recipe.schedule(progress.epoch + progress.batch / run.batches)
        draws = recipe.draws(progress.epoch, progress.batch, run.batches)
        batch = run.images.batch(*order.of(progress.batch), [draw[run.processes.mine] for draw in draws], blinds)
        run.sums.add(run.update(batch))
        recipe.after_update()
        progress.batch += 1
        self.moved = True
        self.display.batch()
        if progress.batch % CHECK_EVERY == 0:
            run.check()

    def close_epoch(self) -> None:
        """Measure the epoch that was trained, move to the next one and save."""
        run = self.run
        best = run.processes.leads and run.measure_epoch()
        run.next_epoch()
        if run.processes.leads:
            self.display.epoch(run.progress.epoch, run.progress.rows[-1])
        self._save(best)

    def _count_time(self) -> None:
        self.run.progress.epoch_seconds += time.monotonic() - self.started

    def _save(self, best: bool = False) -> None:
        """Write a checkpoint of the position, after a look at the terms; without a writer only look."""
        self.run.check()
        if self.writer is not None:
            self.writer.save(self.run.checkpoint(), self.run.progress.epoch, self.run.progress.batch, best)
        self.saved, self.moved = time.monotonic(), False


def _open_writer(run: TrainingRun, stack: ExitStack) -> CheckpointWriter:
    """Begin to write: without the results of an earlier run."""
    for name in (GENERATOR, RUN):
        (run.output / name).unlink(missing_ok=True)
    writer = CheckpointWriter(run.output / "checkpoints", run.params.checkpoints)
    stack.callback(writer.close)
    return writer
