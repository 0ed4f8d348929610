"""Structural similarity, Wang et al. 2004, with an 11 px Gaussian window of sigma 1.5 where it fits.

No clamp of negative structure (pyiqa has one), no reduction before (128 px is below MATLAB's threshold): equal to
scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)`.
"""

from __future__ import annotations

import torch

from blindface.base.images import to_unit
from blindface.metrics.operators import apply, gaussian_valid
from blindface.metrics.stacks import Stack, as_pair, luma

WINDOW = 11
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2


def ssim(images: Stack, targets: Stack) -> torch.Tensor:
    """SSIM over R, G and B (mean of the three), float64 (N,)."""
    first, second = as_pair(images, targets)
    luminance, structure = similarity_maps(to_unit(first).double().contiguous(), to_unit(second).double().contiguous())
    return (luminance * structure).mean(dim=(1, 2, 3))


def ssim_y(images: Stack, targets: Stack) -> torch.Tensor:
    """SSIM of the luma rounded to whole levels, float64 (N,)."""
    first, second = as_pair(images, targets)
    luminance, structure = similarity_maps(luma(first) / 255, luma(second) / 255)
    return (luminance * structure).mean(dim=(1, 2, 3))


def similarity_maps(x: torch.Tensor, y: torch.Tensor, window: int = WINDOW) -> tuple[torch.Tensor, torch.Tensor]:
    """The luminance term, and contrast times structure, at every place where the window fits.

    x, y: (N, C, H, W) float64 in [0, 1]; both results (N, C, H - window + 1, W - window + 1).
    """
    rows = gaussian_valid(x.shape[-2], window, SIGMA)
    columns = gaussian_valid(x.shape[-1], window, SIGMA)
    mean_x, mean_y, square_x, square_y, product = (apply(rows, columns, plane) for plane in (x, y, x * x, y * y, x * y))
    mean_xx, mean_yy, mean_xy = mean_x * mean_x, mean_y * mean_y, mean_x * mean_y
    luminance = (2 * mean_xy + C1) / (mean_xx + mean_yy + C1)
    structure = (2 * (product - mean_xy) + C2) / ((square_x - mean_xx) + (square_y - mean_yy) + C2)
    return luminance, structure
