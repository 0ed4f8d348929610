"""The training images on the device, and the batches cut from them.

All targets and blind images stay on the device as uint8 (13,000 targets of 128x128 are 650 MB), so no loader feeds the
loop. Order, mirroring and random draws of an epoch are functions of (seed, objective, epoch, image id) alone: a
position (epoch, batch) is all that a resumed run needs. The last incomplete batch of an epoch is dropped; as the order
changes with the epoch, every image is still seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from blindface.base import image_table
from blindface.base.errors import ParameterError
from blindface.base.images import to_signed
from blindface.base.randomness import derive_seed, generator
from blindface.landmarks.geometry import MIRRORED
from blindface.landmarks.table import FacePoints, read_points
from blindface.training.distributed.processes import Processes


@dataclass(frozen=True)
class Batch:
    """One batch on the training device.

    blind: (N, 3, 16 or 128, same) float in [-1, 1]; targets: (N, 3, S, S) in [-1, 1] for S = 32, 64, 128;
    points: (N, 68, 2) landmarks in pixels of each target (those at 32 px are not used); found: (N,) bool;
    draws: random numbers of the recipe, each (N, ...), see `Recipe.draws`.
    """

    blind: Tensor
    targets: Sequence[Tensor]
    points: Sequence[Tensor]
    found: Tensor
    draws: Sequence[Tensor] = ()

    @property
    def target(self) -> Tensor:
        """The targets at full size, (N, 3, 128, 128)."""
        return self.targets[-1]

    def tensors(self) -> list[Tensor]:
        """All tensors, in one order."""
        return [self.blind, *self.targets, *self.points, self.found, *self.draws]

    def empty(self) -> Batch:
        """A batch of the same shapes on the same device, without values."""
        return Batch(
            blind=torch.empty_like(self.blind),
            targets=[torch.empty_like(one) for one in self.targets],
            points=[torch.empty_like(one) for one in self.points],
            found=torch.empty_like(self.found),
            draws=[torch.empty_like(one) for one in self.draws],
        )


@dataclass(frozen=True)
class ImageSet:
    """One part of the data on the device: ids in file order and, row by row, images and landmarks.

    targets: (N, 128, 128, 3) uint8; blinds: (N, u, u, 3) uint8; points_128 and points_64: (N, 68, 2) float32 in
    pixels of 128x128 and 64x64, zeros where not found; found: (N,) bool.
    """

    ids: tuple[str, ...]
    targets: Tensor
    blinds: Tensor
    points_128: Tensor
    points_64: Tensor
    found: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def batch(
        self,
        rows: Tensor,
        mirrored: Tensor | None = None,
        draws: Sequence[Tensor] = (),
        blinds: Tensor | None = None,
    ) -> Batch:
        """Cut a batch: `rows` (N,) int64 and `mirrored` (N,) bool on the device, as in `EpochOrder`.

        blinds: (all images, u, u, 3) uint8 on the device, in place of the stored ones. Targets at 64 and
        32 px are area averages of those at 128 px. There are no landmarks at 32 px: step 1 gets those of 64 px, which
        it does not use.
        """
        blind = to_signed((self.blinds if blinds is None else blinds)[rows])
        target = self.targets[rows]
        points_128, points_64 = self.points_128[rows], self.points_64[rows]
        target = to_signed(target)
        if mirrored is not None:
            wide = mirrored[:, None, None, None]
            blind = torch.where(wide, blind.flip(3), blind)
            target = torch.where(wide, target.flip(3), target)
            points_128 = torch.where(mirrored[:, None, None], mirror_points(points_128, 128), points_128)
            points_64 = torch.where(mirrored[:, None, None], mirror_points(points_64, 64), points_64)
        half = avg_pool2d(target, 2)
        return Batch(
            blind=blind,
            targets=(avg_pool2d(half, 2), half, target),
            points=(points_64, points_64, points_128),
            found=self.found[rows],
            draws=draws,
        )


def mirror_points(points: Tensor, size: int) -> Tensor:
    """Landmarks (N, 68, 2) in the mirrored image of `size` px: x becomes size - 1 - x, left and right swap names."""
    swapped = points[:, list(MIRRORED)]
    return torch.stack((size - 1 - swapped[..., 0], swapped[..., 1]), dim=-1)


def load_set(targets: Path, pairs: Path, landmarks: Path | None, device: torch.device) -> ImageSet:
    """Load one part: the ids of `pairs`, their targets and landmarks, all on `device`.

    Without landmarks no face counts as found. Errors: InputError if a file is broken or lacks an id of `pairs`.
    """
    ids = [str(name) for name in image_table.read_table(pairs)["id"]]
    faces = FacePoints.nowhere(len(ids)) if landmarks is None else read_points(landmarks, ids)
    return ImageSet(
        ids=tuple(ids),
        targets=torch.from_numpy(image_table.read_images(targets, "target", ids)).to(device),
        blinds=torch.from_numpy(image_table.read_images(pairs, "blind")).to(device),
        points_128=torch.from_numpy(faces.points_128).to(device),
        points_64=torch.from_numpy(faces.points_64).to(device),
        found=torch.from_numpy(faces.found).to(device),
    )


@dataclass(frozen=True)
class EpochOrder:
    """Which images each batch of an epoch holds, drawn at its start and kept on the device.

    rows: (B, N) int64; mirrored: (B, N) bool, or None where nothing is mirrored.
    """

    rows: Tensor
    mirrored: Tensor | None

    def part(self, processes: Processes) -> EpochOrder:
        """What of each batch one process takes: every n-th image, so that all of them together have the whole."""
        mine = processes.mine
        return EpochOrder(self.rows[:, mine], None if self.mirrored is None else self.mirrored[:, mine])

    def of(self, batch: int) -> tuple[Tensor, Tensor | None]:
        """Rows and mirrored of one batch, as `ImageSet.batch` takes them."""
        return self.rows[batch], None if self.mirrored is None else self.mirrored[batch]


def draw_epoch(
    seed: int, objective: str, epoch: int, ids: Sequence[str], batch_size: int, flip: bool, device: torch.device
) -> EpochOrder:
    """The order of `epoch`, a function of (seed, objective, epoch, id): equal on every machine and after any restart.

    flip: mirror every other image.
    """
    order = draw_order(seed, objective, epoch, len(ids), batch_size)
    batches = len(order) // batch_size
    mirrored = None
    if flip:
        sides = np.array([derive_seed(seed, "flip", epoch, ids[row]) & 1 for row in order], np.bool_)
        mirrored = torch.from_numpy(sides.reshape(batches, batch_size)).to(device)
    return EpochOrder(torch.from_numpy(order.reshape(batches, batch_size)).to(device), mirrored)


def draw_order(seed: int, objective: str, epoch: int, images: int, batch_size: int) -> NDArray[np.int64]:
    """The images of an epoch in their order, whole batches only: (B * N,) rows."""
    whole = count_batches(images, batch_size) * batch_size
    return generator(seed, "order", objective, epoch).permutation(images)[:whole].astype(np.int64)


def count_batches(images: int, batch_size: int) -> int:
    """Whole batches of an epoch. Errors: ParameterError if there are fewer images than one batch holds."""
    if images < batch_size:
        raise ParameterError(
            f"the training part holds {images} images, fewer than one batch of {batch_size}: "
            "lower the batch_size or add images"
        )
    return images // batch_size
