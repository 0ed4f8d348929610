"""Fresh blind images for every epoch, made by processes of their own while the epoch before trains.

Not by threads: each would hold the interpreter's lock now and then, and with many of them the thread that starts the
GPU's kernels waits for seconds at the beginning of every epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blindface.degradation import available_workers, degrade_many
from blindface.errors import TrainingError
from blindface.helper_process import live_with_parent
from blindface.images import Image
from blindface.params import Objective, PairsParams

MOST_PROCESSES = 4
"""About 4,000 images/s, several times what the fastest GPUs train."""
SLICE = 512
"""Images per task: what travels between the processes at a time stays below 50 MB."""


class FreshBlinds:
    """The blind images of each epoch on the device: draws keyed by (pairs.seed, objective, epoch, image id).

    targets: (N, 128, 128, 3) uint8 on the CPU; epochs: how many there are; rows: of an epoch, the images that this
    process trains, None: all of them. Use it in a `with` block.
    """

    def __init__(
        self,
        targets: Image,
        ids: Sequence[str],
        objective: Objective,
        pairs: PairsParams,
        epochs: int,
        rows: Callable[[int], NDArray[np.int64]] | None = None,
    ) -> None:
        self.targets, self.ids, self.objective, self.pairs, self.epochs = targets, ids, objective, pairs, epochs
        self.rows = rows
        # Training processes of one machine share its cores
        cores = available_workers() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        self._pool = ProcessPoolExecutor(
            min(max(cores - 1, 1), MOST_PROCESSES), mp_context=get_context("spawn"), initializer=live_with_parent
        )
        self._coming: dict[int, list[tuple[NDArray[np.int64], Future[Image]]]] = {}

    def take(self, epoch: int, device: torch.device) -> Tensor:
        """The blind images of `epoch`, (N, u, u, 3) uint8 on the device; those of the next epoch are begun.

        Of images that this process does not train they are zero. Errors: TrainingError if a drawing process died.
        """
        self._begin(epoch)
        whole: Image | None = None
        try:
            for rows, task in self._coming.pop(epoch):
                images = task.result()
                if whole is None:
                    whole = np.zeros((len(self.ids), *images.shape[1:]), np.uint8)
                whole[rows] = images
        except BrokenProcessPool as error:
            raise TrainingError(
                "a process that draws fresh degradations was killed, perhaps for want of memory: "
                "free some and run the same command again"
            ) from error
        assert whole is not None, "an epoch without images"
        self._begin(epoch + 1)
        return torch.from_numpy(whole).to(device)

    def _begin(self, epoch: int) -> None:
        if epoch >= self.epochs or epoch in self._coming:
            return
        rows = np.arange(len(self.ids)) if self.rows is None else self.rows(epoch)
        self._coming[epoch] = [
            (part, self._pool.submit(degrade_many, *self._inputs(part), self.objective, self.pairs, epoch, 1))
            for part in (rows[start : start + SLICE] for start in range(0, len(rows), SLICE))
        ]

    def _inputs(self, rows: NDArray[np.int64]) -> tuple[Image, list[str]]:
        return self.targets[rows], [self.ids[row] for row in rows]

    def __enter__(self) -> FreshBlinds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
