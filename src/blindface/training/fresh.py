"""Fresh blind images for every epoch, made by processes of their own while the epoch before trains.

Not by threads: each would hold the interpreter's lock now and then, and with many of them the thread that starts the
GPU's kernels waits for seconds at the beginning of every epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blindface.degradation import Degrader, available_workers
from blindface.degradation.batch import Degraded, collect
from blindface.errors import TrainingError
from blindface.images import Image
from blindface.params import Objective, PairsParams

MOST_PROCESSES = 4
"""About 4,000 images/s, several times what the fastest GPUs train."""


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
        self.targets, self.ids, self.epochs = targets, ids, epochs
        self.rows = rows
        # Training processes of one machine share its cores
        cores = available_workers() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        workers = min(max(cores - 1, 1), MOST_PROCESSES)
        self._degrader = Degrader(objective, pairs, workers, apart=True)
        self._coming: dict[int, tuple[NDArray[np.int64], list[Future[Degraded]]]] = {}

    def take(self, epoch: int, device: torch.device) -> Tensor:
        """The blind images of `epoch`, (N, u, u, 3) uint8 on the device; those of the next epoch are begun.

        Of images that this process does not train they are zero. Errors: TrainingError if a drawing process died.
        """
        try:
            self._begin(epoch)
            rows, tasks = self._coming.pop(epoch)
            _, images = collect(tasks, self._degrader.ranges.u)
            self._begin(epoch + 1)
        except BrokenProcessPool as error:
            raise TrainingError(
                "a process that draws fresh degradations was killed, perhaps for want of memory: "
                "free some and run the same command again"
            ) from error
        whole = np.zeros((len(self.ids), *images.shape[1:]), np.uint8)
        whole[rows] = images
        return torch.from_numpy(whole).to(device)

    def _begin(self, epoch: int) -> None:
        if epoch >= self.epochs or epoch in self._coming:
            return
        rows = np.arange(len(self.ids)) if self.rows is None else self.rows(epoch)
        ids = [self.ids[row] for row in rows]
        self._coming[epoch] = rows, self._degrader.start(self.targets[rows], ids, epoch)

    def __enter__(self) -> FreshBlinds:
        self._degrader.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._degrader.__exit__()
