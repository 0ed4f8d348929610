"""Fresh blind images for every epoch, made by processes of their own while the epoch before trains.

Not by threads: each would hold the interpreter's lock now and then, and with many of them the thread that starts the
GPU's kernels waits for seconds at the beginning of every epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blindface.base.errors import TrainingError
from blindface.base.images import Image
from blindface.degradation import Degrader, available_workers
from blindface.degradation.batch import Degraded, collect
from blindface.params import Objective, PairsParams

MOST_PROCESSES = 4
"""About 4,000 images/s, several times what the fastest GPUs train."""


class OnlineDegradation:
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
        # What the processes made is put together here, so that nothing is left to do when an epoch begins
        self._assembly = ThreadPoolExecutor(1, thread_name_prefix="fresh")
        self._coming: dict[int, Future[Image]] = {}

    def take(self, epoch: int, device: torch.device) -> Tensor:
        """The blind images of `epoch`, (N, u, u, 3) uint8 on the device; those of the next epoch are begun.

        Of images that this process does not train they are zero. Errors: TrainingError if a drawing process died.
        """
        try:
            self._begin(epoch)
            images = self._coming.pop(epoch).result()
            self._begin(epoch + 1)
        except BrokenProcessPool as error:
            raise TrainingError(
                "a process that draws fresh degradations was killed, perhaps for want of memory: "
                "free some and run the same command again"
            ) from error
        return torch.from_numpy(images).to(device)

    def _begin(self, epoch: int) -> None:
        if epoch >= self.epochs or epoch in self._coming:
            return
        rows = None if self.rows is None else self.rows(epoch)
        targets, ids = self.targets, self.ids
        if rows is not None:
            targets, ids = targets[rows], [ids[row] for row in rows]
        tasks = self._degrader.start(targets, ids, epoch)
        self._coming[epoch] = self._assembly.submit(self._assemble, rows, tasks)

    def _assemble(self, rows: NDArray[np.int64] | None, tasks: Sequence[Future[Degraded]]) -> Image:
        _, images = collect(tasks, self._degrader.ranges.u)
        if rows is None:
            return images
        whole = np.zeros((len(self.ids), *images.shape[1:]), np.uint8)
        whole[rows] = images
        return whole

    def __enter__(self) -> OnlineDegradation:
        self._degrader.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._degrader.__exit__()
        self._assembly.shutdown(cancel_futures=True)
