"""Images moved by whole pixels: what training sees of a photograph need not stand on the same grid at every epoch.

A blind image of 16x16 pixels is one sampling of the face; a face moved by less than its pixels, 8 px wide, is sampled
anew. The move is drawn per (seed, epoch, image id) and done twice, equally: by the processes that degrade, and on the
device that trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from blindface.base.images import Image
from blindface.base.randomness import derive_seed

if TYPE_CHECKING:
    import torch

Shifts = NDArray[np.int64]
"""(N, 2): by how many columns and rows the contents of each image move to the left and up."""


def draw_shifts(seed: int, epoch: int, ids: Sequence[str], most: int) -> Shifts:
    """The shifts of an epoch, each number uniform in [-most, most]; functions of (seed, epoch, id)."""
    span = 2 * most + 1
    bits = [derive_seed(seed, "shift", epoch, name) for name in ids]
    return np.array([(b % span - most, (b >> 64) % span - most) for b in bits], np.int64).reshape(-1, 2)


def _reflected(places: Any, size: int) -> Any:
    """Places of a mirrored continuation (border pixels not repeated) as places of the image; less than `size` away."""
    return (size - 1) - abs((size - 1) - abs(places))


def shift_image(image: Image, shift: NDArray[np.int64]) -> Image:
    """One image (H, W, 3), moved; mirrored at its border."""
    columns = _reflected(np.arange(image.shape[1]) + shift[0], image.shape[1])
    rows = _reflected(np.arange(image.shape[0]) + shift[1], image.shape[0])
    return np.ascontiguousarray(image[rows[:, None], columns])


def shift_images(images: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """A stack (N, H, W, 3) of any type on a device, moved by shifts (N, 2) int64 there: as `shift_image` does."""
    import torch

    count, height, width = images.shape[:3]
    columns = _reflected(torch.arange(width, device=images.device) + shifts[:, :1], width)
    rows = _reflected(torch.arange(height, device=images.device) + shifts[:, 1:], height)
    first = torch.arange(count, device=images.device)[:, None, None]
    return images[first, rows[:, :, None], columns[:, None, :]]
