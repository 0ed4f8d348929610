"""Aligned faces cut out of images, as a differentiable function: what the face discriminator sees."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from blindface.base.numerics import in_full
from blindface.landmarks.geometry import CENTRE_SIDE, TEMPLATE, TEMPLATE_SIDE
from blindface.networks.face_discriminator import FACE_SIZE

SCALES = (0.3, 1.2)
"""Image pixels per pixel of the template, at least and at most; LFW's faces have 0.6 at 128x128."""

# Plain numbers: a tensor made of them inside a recorded or compiled step would be a copy from the processor
_CENTRE: list[float] = TEMPLATE.mean(axis=0).tolist()
_SPREAD: list[list[float]] = (TEMPLATE - TEMPLATE.mean(axis=0)).tolist()
_STEP = TEMPLATE_SIDE / FACE_SIZE


def face_crops(images: Tensor, points: Tensor, found: Tensor) -> Tensor:
    """Cut out each face, scaled and shifted to ArcFace's template, upright or not as it is in the image.

    images: (N, 3, S, S), any range; points: (N, 68, 2) landmarks in pixels, pixel centres at integers, anything (NaN
    too) where found, (N,) bool, is false: there the middle of the image is taken. Returns (N, 3, 64, 64), float32 also
    under autocast.

    Without rotation a crop is a product of three matrices. So its gradient is one too, the same bits on every run,
    where that of a sampling grid is a scattered write.
    """
    with nullcontext() if images.is_meta else torch.autocast(images.device.type, enabled=False):
        images = in_full(images)
        columns, rows = crop_weights(points.to(images.dtype), found, images.shape[-1])
        return rows[:, None] @ images @ columns[:, None].transpose(2, 3)


def crop_weights(points: Tensor, found: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The weights (N, 64, size) of an image's columns in those of its crop, and of its rows; their sums are 1.

    Scale and shift bring eyes, nose and mouth nearest to the template's in the least squares. Between pixels the
    weights are linear; where the crop is smaller than what it shows they widen, against aliasing. Beyond the border
    the border pixels are repeated.
    """
    five = five_points(torch.where(found[:, None, None], points, 0.0))
    terms = [five[:, point, axis] * _SPREAD[point][axis] for point in range(5) for axis in range(2)]
    scale = torch.stack(terms).sum(dim=0) / sum(value**2 for pair in _SPREAD for value in pair)
    usual = CENTRE_SIDE / TEMPLATE_SIDE
    scale = torch.where(found, scale.clamp(*SCALES), usual)
    pixels = torch.arange(size, dtype=points.dtype, device=points.device)
    inside = (torch.arange(FACE_SIZE, dtype=points.dtype, device=points.device) + 0.5) * _STEP - 0.5
    width = (scale * _STEP).clamp_min(1.0)[:, None, None]

    def along(axis: int) -> Tensor:
        middle = (size - 1) / 2 + usual * (_CENTRE[axis] - (TEMPLATE_SIDE - 1) / 2)
        centre = torch.where(found, five[:, :, axis].mean(dim=1), middle)
        seen = (centre[:, None] + scale[:, None] * (inside - _CENTRE[axis])).clamp(0, size - 1)
        weights = (1 - (seen[..., None] - pixels).abs() / width).clamp_min(0.0)
        return weights / weights.sum(dim=-1, keepdim=True)

    return along(0), along(1)


def five_points(points: Tensor) -> Tensor:
    """(N, 68, 2) -> (N, 5, 2): as `landmarks.geometry.five_points`, of tensors."""
    eyes = [points[:, 36:42].mean(dim=1), points[:, 42:48].mean(dim=1)]
    return torch.stack([*eyes, points[:, 30], points[:, 48], points[:, 54]], dim=1)
