"""Many images through equation (1) in parallel. Threads suffice: OpenCV and NumPy release the interpreter's lock."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from blindface.degradation.draws import Drawn, draw, noise_generator
from blindface.degradation.equation import degrade
from blindface.errors import InputError
from blindface.images import Image
from blindface.params.data import DegradationParams, Objective, PairsParams
from blindface.threads import available_workers, opencv_single_threaded

SLICE = 32
"""Images per task: few enough to keep all workers busy to the end, enough to make a task's own cost vanish."""


def ranges_of(params: PairsParams, objective: Objective) -> DegradationParams:
    """The block of ranges of one objective."""
    return params.objective1 if objective == "objective1" else params.objective2


class Degrader:
    """A pool of worker threads that degrades stacks of targets for one objective; use it in a `with` block."""

    def __init__(self, objective: Objective, params: PairsParams, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"workers must be at least 1, got {workers}")
        self.objective: Objective = objective
        self.params = params
        self.ranges = ranges_of(params, objective)
        self._pool = ThreadPoolExecutor(workers or available_workers(), thread_name_prefix="degrade")
        self._quiet = opencv_single_threaded()

    def __enter__(self) -> Degrader:
        self._quiet.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._quiet.__exit__(None, None, None)

    def one(self, target: Image, name: str, epoch: int | None = None) -> tuple[Drawn, Image]:
        """Draw and degrade one target (H, W, 3) uint8 in the calling thread; returns the draw and the blind image."""
        drawn = draw(self.params.seed, self.objective, name, self.ranges, epoch)
        rng = noise_generator(self.params.seed, self.objective, name, epoch)
        return drawn, degrade(target, drawn, rng, self.params, self.ranges.u)

    def start(
        self, targets: Image, names: Sequence[str], epoch: int | None = None
    ) -> tuple[Image, list[Future[list[Drawn]]]]:
        """Begin degrading a stack (N, H, W, 3); returns the stack to be filled and the tasks that fill it, in order."""
        if len(targets) != len(names):
            raise InputError(f"{len(targets)} targets but {len(names)} image ids: they must be equally many")
        blind = np.empty((len(names), self.ranges.u, self.ranges.u, 3), np.uint8)

        def task(start: int) -> list[Drawn]:
            draws = []
            for place in range(start, min(start + SLICE, len(names))):
                drawn, blind[place] = self.one(targets[place], names[place], epoch)
                draws.append(drawn)
            return draws

        return blind, [self._pool.submit(task, start) for start in range(0, len(names), SLICE)]


def degrade_many(
    targets: Image,
    ids: Sequence[str],
    objective: Objective,
    params: PairsParams,
    epoch: int | None = None,
    workers: int | None = None,
) -> Image:
    """Blind images of a stack of targets, with the fixed draws (`epoch=None`) or the fresh ones of an epoch.

    targets: (N, 128, 128, 3) uint8 RGB; ids: the N image ids. Returns (N, u, u, 3) uint8 RGB, in the same order. The
    result depends on seed, objective, ids and epoch alone, not on `workers` (threads; default: all cores) or the order.
    """
    with Degrader(objective, params, workers) as degrader:
        blind, tasks = degrader.start(targets, ids, epoch)
        for task in tasks:
            task.result()
    return blind
