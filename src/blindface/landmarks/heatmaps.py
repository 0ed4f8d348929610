"""From heatmaps to points."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def near(heatmaps: torch.Tensor, expected: NDArray[Any], spread: NDArray[Any]) -> torch.Tensor:
    """Heatmaps weighted by a Gaussian around the place where each point is expected.

    heatmaps: (N, K, H, W); expected: (N, K, 2) x, y in their pixels, and spread: (N,) standard deviation in px; a face
    with NaN in either keeps its heatmaps. What is not positive becomes zero.
    """
    height, width = heatmaps.shape[2:]
    known = np.isfinite(expected).all(axis=(1, 2)) & np.isfinite(spread)
    places = torch.from_numpy(np.nan_to_num(expected).astype(np.float32)).to(heatmaps.device)
    sharpness = torch.from_numpy(np.where(known, 0.5 / np.nan_to_num(spread).clip(1.0) ** 2, 0.0).astype(np.float32))
    sharpness = sharpness.to(heatmaps.device)[:, None, None]

    def bell(size: int, axis: int) -> torch.Tensor:
        grid = torch.arange(size, device=heatmaps.device, dtype=torch.float32)
        return torch.exp(-sharpness * (grid - places[:, :, axis, None]) ** 2)

    return heatmaps.float().clamp_min(0) * bell(height, 1)[:, :, :, None] * bell(width, 0)[:, :, None, :]


def peaks(heatmaps: torch.Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The peak of each heatmap, finer than its grid, and its height.

    heatmaps: (N, K, H, W) float. Returns points (N, K, 2) x, y in pixels of the heatmap, and heights (N, K).
    A Gaussian's logarithm is a parabola, so through the logarithms of the highest value and its two neighbours in x
    (and likewise in y) goes the parabola whose vertex is the Gaussian's centre. The shift is at most half a pixel.
    At the border of the map and where a neighbour is not positive the grid point itself is taken in that direction.
    """
    count, kinds, height, width = heatmaps.shape
    values, places = heatmaps.float().flatten(2).max(dim=2)
    x, y = places % width, places.div(width, rounding_mode="floor")
    flat = heatmaps.float().flatten(2)

    def shift(step: int, inside: torch.Tensor) -> torch.Tensor:
        limit = height * width - 1
        before = flat.gather(2, (places - step).clamp(0, limit).unsqueeze(2)).squeeze(2)
        after = flat.gather(2, (places + step).clamp(0, limit).unsqueeze(2)).squeeze(2)
        usable = inside & (before > 0) & (after > 0) & (values > 0)
        low, high, top = (torch.where(usable, v, torch.ones_like(v)).log() for v in (before, after, values))
        curvature = 2 * top - low - high
        vertex = torch.where(curvature > 1e-9, (high - low) / (2 * curvature.clamp_min(1e-9)), 0.0)
        return torch.where(usable, vertex.clamp(-0.5, 0.5), torch.zeros_like(vertex))

    fine_x = x + shift(1, (x > 0) & (x < width - 1))
    fine_y = y + shift(width, (y > 0) & (y < height - 1))
    points = torch.stack([fine_x, fine_y], dim=2).reshape(count, kinds, 2)
    return points.cpu().numpy().astype(np.float32), values.cpu().numpy().astype(np.float32)
