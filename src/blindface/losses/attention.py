"""The facial attention loss: errors count around the landmarks of the face."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from blindface.base.numerics import in_full

WINDOWS = {64: 3, 128: 5}
"""Size of the Gaussian window by size of the image, in pixels: the paper's steps 2 and 3."""


class AttentionLoss(nn.Module):
    """Equation (5): (1 / N) sum over images n, landmarks l and offsets o of G(o) e_n(round(p_nl) + o).

    e_n is the mean over the channels of |target - output|; G a Gaussian on a square window (5x5 at 128 px, 3x3 at 64),
    its values summing to 1. The paper does not state its deviation: 0.3 ((size - 1) / 2 - 1) + 0.8 pixels, OpenCV's
    rule, so 1.1 and 0.8.

    Landmarks are rounded to the nearest pixel, halves upwards. What of a window lies outside the image is left out,
    its other weights unchanged; a landmark far outside contributes nothing. Images without landmarks contribute zero
    but count in N. Windows that overlap add up.

    All windows of an image are one weight map. The Gaussian is separable, so the map is a product of two matrices
    with a row per landmark: no scattered writes, hence the same bits on every run.
    """

    def __init__(self, windows: Mapping[int, int] = WINDOWS) -> None:
        super().__init__()
        self.windows = dict(windows)

    def forward(self, output: Tensor, target: Tensor, points: Tensor, found: Tensor) -> Tensor:
        """The loss of a batch.

        output, target: (N, 3, S, S) in [-1, 1]; points: (N, 68, 2) x and y in pixels of that size, pixel centres at
        integers, anything (NaN too) where found, (N,) bool, is false. Returns a scalar.
        """
        size = output.shape[-1]
        if size not in self.windows:
            raise ValueError(f"attention is defined at {sorted(self.windows)} px, got images of {size} px")
        error = (in_full(output) - in_full(target)).abs().mean(dim=1)
        # The map in full precision; tensors without values (the plan's) know no autocast
        with nullcontext() if output.is_meta else torch.autocast(output.device.type, enabled=False):
            weights = weight_map(points.to(error.dtype), found, size, self.windows[size])
        return (weights * error).sum() / len(error)


def gaussian_deviation(window: int) -> float:
    """Standard deviation of a Gaussian on a window of so many pixels, in pixels; OpenCV's rule."""
    return 0.3 * ((window - 1) * 0.5 - 1) + 0.8


def weight_map(points: Tensor, found: Tensor, size: int, window: int) -> Tensor:
    """The sum of the Gaussian windows around each image's landmarks.

    points: (N, L, 2) x and y in pixels; found: (N,) bool; window: odd, in pixels. Returns (N, size, size), rows are y.
    """
    far = -2.0 * size  # so far outside that no window reaches the image
    centres = torch.where(found[:, None, None], (points + 0.5).floor(), far)
    pixels = torch.arange(size, device=points.device, dtype=points.dtype)
    distance = pixels - centres[..., None]  # (N, L, 2, size)
    radius, deviation = window // 2, gaussian_deviation(window)
    steps = torch.arange(-radius, radius + 1, device=points.device, dtype=points.dtype)
    total = torch.exp(-steps.square() / (2 * deviation**2)).sum()
    bell = torch.exp(-distance.square() / (2 * deviation**2)) / total
    bell = torch.where(distance.abs() <= radius, bell, 0.0)
    return bell[:, :, 1].transpose(1, 2) @ bell[:, :, 0]
