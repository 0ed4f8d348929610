"""Many images through equation (1) in parallel, by processes where they are worth their start."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np

from blindface.base.errors import InputError
from blindface.base.helper_process import live_with_parent
from blindface.base.images import Image
from blindface.base.threads import available_workers, opencv_single_threaded
from blindface.degradation.draws import Drawn, draw, noise_generator
from blindface.degradation.equation import degrade
from blindface.params.data import Objective, PairsParams

Degraded = tuple[list[Drawn], Image]
"""Draws of a few images, and their blind images."""
SLICE = 32
"""Images per task: few enough to keep all workers busy to the end, enough to make a task's own cost vanish."""
WORTH_A_PROCESS = 500
"""Images that take about as long as a process to start."""


class Degrader:
    """Workers that degrade stacks of targets for one objective; use it in a `with` block.

    One worker is a thread; more are processes, since threads wait for the interpreter's lock at every step of every
    image: two of them were 1.2 times as fast as one. Processes take about two seconds to start. apart: a process even
    for one worker, so that it never holds the lock of the caller.
    """

    def __init__(
        self, objective: Objective, params: PairsParams, workers: int | None = None, apart: bool = False
    ) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"workers must be at least 1, got {workers}")
        self.objective: Objective = objective
        self.params = params
        self.ranges = params.of(objective)
        self._pool = _pool(workers or available_workers(), apart)
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

    def start(self, targets: Image, names: Sequence[str], epoch: int | None = None) -> list[Future[Degraded]]:
        """Begin degrading a stack (N, H, W, 3); returns tasks that give draws and blind images, in order."""
        if len(targets) != len(names):
            raise InputError(f"{len(targets)} targets but {len(names)} image ids: they must be equally many")
        return [
            self._pool.submit(
                _degrade_slice,
                self.objective,
                self.params,
                targets[start : start + SLICE],
                list(names[start : start + SLICE]),
                epoch,
            )
            for start in range(0, len(names), SLICE)
        ]

    def many(self, targets: Image, names: Sequence[str], epoch: int | None = None) -> Image:
        """The blind images of a stack, (N, u, u, 3) uint8, in its order."""
        return collect(self.start(targets, names, epoch), self.ranges.u)[1]


def collect(tasks: Sequence[Future[Degraded]], size: int) -> Degraded:
    """The draws and the blind images (N, size, size, 3) of tasks, in their order."""
    done = [task.result() for task in tasks]
    blind = np.concatenate([np.empty((0, size, size, 3), np.uint8), *(images for _, images in done)])
    return [drawn for draws, _ in done for drawn in draws], blind


def _degrade_slice(
    objective: Objective,
    params: PairsParams,
    targets: Image,
    names: list[str],
    epoch: int | None,
) -> Degraded:
    degrader = Degrader(objective, params, workers=1)
    done = [degrader.one(target, name, epoch) for target, name in zip(targets, names, strict=True)]
    return [drawn for drawn, _ in done], np.stack([image for _, image in done])


def _pool(workers: int, apart: bool) -> Executor:
    if workers == 1 and not apart:
        return ThreadPoolExecutor(1, thread_name_prefix="degrade")
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_process)


def _begin_process() -> None:
    live_with_parent()
    cv2.setNumThreads(1)


def useful_workers(workers: int | None, images: int) -> int:
    """As many workers as asked for (None: as there are cores), but no process for fewer than `WORTH_A_PROCESS` images.

    Errors: InputError if fewer than one is asked for.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    return min(workers or available_workers(), max(images // WORTH_A_PROCESS, 1))


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
    result depends on seed, objective, ids and epoch alone, not on `workers` (at most; default: all cores) or the order.
    """
    with Degrader(objective, params, useful_workers(workers, len(ids))) as degrader:
        return degrader.many(targets, ids, epoch)
