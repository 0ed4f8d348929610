"""Peak signal-to-noise ratio over RGB, in dB: per image, and from the mean squared error of a whole batch.

The paper's numbers are of the second kind (calibrated on its rows for blind images). The mean of per-image values is
the higher one, because the logarithm is concave in the error.
"""

from __future__ import annotations

import torch

from blindface.metrics.stacks import Stack, as_pair

CEILING = 100.0
"""The value of identical images, in dB: above what one differing level at 128 px gives (95)."""


def mean_squared_error(images: Stack, targets: Stack) -> torch.Tensor:
    """Mean squared error of each image over pixels and channels, on a scale of 0 to 1: float64 (N,)."""
    first, second = as_pair(images, targets)
    # squares of whole levels and their sums are exact in these types, whatever the order
    difference = (first.to(torch.int16) - second.to(torch.int16)).float()
    return difference.square().double().mean(dim=(1, 2, 3)) / 255**2


def psnr(images: Stack, targets: Stack) -> torch.Tensor:
    """PSNR of each image, (N,) in dB. Identical images have CEILING."""
    return decibels(mean_squared_error(images, targets))


def psnr_batch(images: Stack, targets: Stack) -> float:
    """PSNR of the mean squared error of the whole batch, in dB (the paper's protocol)."""
    return decibels(mean_squared_error(images, targets).mean()).item()


def decibels(error: torch.Tensor) -> torch.Tensor:
    """PSNR of mean squared errors on a scale of 0 to 1."""
    return (-10 * torch.log10(error)).clamp(max=CEILING)
