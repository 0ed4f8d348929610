"""Fresh blind images for every epoch, made in the background while the epoch before trains."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blindface.degradation import available_workers, degrade_many
from blindface.images import Image
from blindface.params import Objective, PairsParams


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
        # Processes of one machine share its cores
        self.workers = max(available_workers() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")) - 1, 1)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fresh")
        self._coming: dict[int, Future[Image]] = {}

    def take(self, epoch: int, device: torch.device) -> Tensor:
        """The blind images of `epoch`, (N, u, u, 3) uint8 on the device; those of the next epoch are begun.

        Of images that this process does not train they are zero.
        """
        self._begin(epoch)
        images = self._coming.pop(epoch).result()
        self._begin(epoch + 1)
        return torch.from_numpy(images).to(device)

    def _begin(self, epoch: int) -> None:
        if epoch < self.epochs and epoch not in self._coming:
            self._coming[epoch] = self._thread.submit(self._make, epoch)

    def _make(self, epoch: int) -> Image:
        if self.rows is None:
            return degrade_many(self.targets, self.ids, self.objective, self.pairs, epoch, self.workers)
        rows = self.rows(epoch)
        ids = [self.ids[row] for row in rows]
        mine = degrade_many(self.targets[rows], ids, self.objective, self.pairs, epoch, self.workers)
        whole = np.zeros((len(self.ids), *mine.shape[1:]), np.uint8)
        whole[rows] = mine
        return whole

    def __enter__(self) -> FreshBlinds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
