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
from blindface.shifting import draw_shifts, shift_images
from blindface.training.distributed.processes import Processes
from blindface.training.recipes.progressive.steps import Batch


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
        mixes: Sequence[Tensor] = (),
        shifts: Tensor | None = None,
        blinds: Tensor | None = None,
    ) -> Batch:
        """Cut a batch: `rows` (N,) int64, `mirrored` (N,) bool, `mixes`, `shifts` on the device; see `EpochDraws`.

        blinds: (all images, u, u, 3) uint8 on the device, in place of the stored ones, moved already. Targets at 64 and
        32 px are area averages of those at 128 px. There are no landmarks at 32 px: step 1 gets those of 64 px, which
        it does not use.
        """
        blind = to_signed((self.blinds if blinds is None else blinds)[rows])
        target = self.targets[rows]
        points_128, points_64 = self.points_128[rows], self.points_64[rows]
        if shifts is not None:
            target = shift_images(target, shifts)
            points_128, points_64 = points_128 - shifts[:, None], points_64 - shifts[:, None] / 2
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
            mixes=mixes,
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
class EpochDraws:
    """All randomness of one epoch, drawn at its start and kept on the device.

    rows: (B, N) int64, the images of each batch; mirrored: (B, N) bool, or None where nothing is mirrored;
    mix: (B, 3, N, 1, 1, 1) float32 uniform in [0, 1), the places of the gradient penalty's interpolates; shifts:
    (B, N, 2) int64, see `shifting`, or None.
    """

    rows: Tensor
    mirrored: Tensor | None
    mix: Tensor
    shifts: Tensor | None = None

    def part(self, processes: Processes) -> EpochDraws:
        """What of each batch one process takes: every n-th image, so that all of them together have the whole."""
        mine = slice(processes.rank, None, processes.count)
        mirrored = None if self.mirrored is None else self.mirrored[:, mine]
        shifts = None if self.shifts is None else self.shifts[:, mine]
        return EpochDraws(rows=self.rows[:, mine], mirrored=mirrored, mix=self.mix[:, :, mine], shifts=shifts)

    def of(self, batch: int) -> tuple[Tensor, Tensor | None, tuple[Tensor, ...], Tensor | None]:
        """Rows, mirrored, mixes and shifts of one batch, as `ImageSet.batch` takes them."""
        mirrored = None if self.mirrored is None else self.mirrored[batch]
        shifts = None if self.shifts is None else self.shifts[batch]
        return self.rows[batch], mirrored, self.mix[batch].unbind(), shifts


def draw_epoch(
    seed: int,
    objective: str,
    epoch: int,
    ids: Sequence[str],
    batch_size: int,
    flip: bool,
    device: torch.device,
    shift: int = 0,
) -> EpochDraws:
    """The draws of `epoch`, functions of (seed, objective, epoch, id): equal on every machine and after any restart.

    flip: mirror every other image; shift: move each by up to so many pixels, 0: none.
    """
    order = draw_order(seed, objective, epoch, len(ids), batch_size)
    batches = len(order) // batch_size
    mix = generator(seed, "mix", objective, epoch).random((batches, 3, batch_size, 1, 1, 1), dtype=np.float32)
    mirrored = None
    if flip:
        sides = np.array([derive_seed(seed, "flip", epoch, ids[row]) & 1 for row in order], np.bool_)
        mirrored = torch.from_numpy(sides.reshape(batches, batch_size)).to(device)
    shifts = None
    if shift:
        moves = draw_shifts(seed, epoch, [ids[row] for row in order], shift)
        shifts = torch.from_numpy(moves.reshape(batches, batch_size, 2)).to(device)
    rows = torch.from_numpy(order.reshape(batches, batch_size)).to(device)
    return EpochDraws(rows=rows, mirrored=mirrored, mix=torch.from_numpy(mix).to(device), shifts=shifts)


def draw_order(seed: int, objective: str, epoch: int, images: int, batch_size: int) -> NDArray[np.int64]:
    """The images of an epoch in their order, whole batches only: (B * N,) rows."""
    whole = count_batches(images, batch_size) * batch_size
    return generator(seed, "order", objective, epoch).permutation(images)[:whole].astype(np.int64)


def count_batches(images: int, batch_size: int) -> int:
    """Whole batches of an epoch. Errors: ParameterError if there are fewer images than one batch holds."""
    if images < batch_size:
        raise ParameterError(
            f"the training part holds {images} images, fewer than one batch of {batch_size}: "
            "lower batch_size of the objective or add images"
        )
    return images // batch_size
