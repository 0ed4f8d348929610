"""Separable linear operators as matrices: filtering an image is `rows @ image @ columns.T`.

At 128 px a matrix product is faster than a grouped convolution on a CPU, and the same code serves a GPU. Everything
is float64: a variance is a small difference of large means.
"""

from __future__ import annotations

from functools import lru_cache

import torch


@lru_cache(maxsize=64)
def gaussian_valid(size: int, window: int, sigma: float) -> torch.Tensor:
    """Normalised Gaussian window over `size` samples, only where it fits: (size - window + 1, size)."""
    if window > size:
        raise ValueError(f"a window of {window} px does not fit an image of {size} px")
    taps = _gaussian(window, sigma)
    matrix = torch.zeros(size - window + 1, size, dtype=torch.float64)
    for row in range(len(matrix)):
        matrix[row, row : row + window] = taps
    return matrix


@lru_cache(maxsize=64)
def gaussian_replicate(size: int, window: int, sigma: float) -> torch.Tensor:
    """Normalised Gaussian window of odd length with the border sample repeated: (size, size)."""
    taps = _gaussian(window, sigma)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    for row in range(size):
        for place, tap in enumerate(taps, start=row - window // 2):
            matrix[row, min(max(place, 0), size - 1)] += tap
    return matrix


@lru_cache(maxsize=16)
def half_bicubic(size: int) -> torch.Tensor:
    """MATLAB's `imresize(x, 0.5)`: bicubic (a = -0.5), antialiased, border mirrored: (size / 2, size)."""
    if size % 2:
        raise ValueError(f"only even sizes can be halved, got {size}")
    # The centre of output sample i lies at 2i + 0.5 in the input; the kernel is stretched by two, 8 taps wide.
    offsets = torch.arange(-4, 4, dtype=torch.float64) + 0.5
    taps = _cubic(offsets / 2)
    taps /= taps.sum()
    matrix = torch.zeros(size // 2, size, dtype=torch.float64)
    for row in range(size // 2):
        for place, tap in enumerate(taps, start=2 * row - 3):
            mirrored = place if 0 <= place < size else (-place - 1 if place < 0 else 2 * size - 1 - place)
            matrix[row, mirrored] += tap
    return matrix


def apply(rows: torch.Tensor, columns: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Filter float64 images (..., H, W) by `rows` (H', H) and `columns` (W', W): (..., H', W')."""
    return _placed(rows, images.device) @ images @ _placed(columns, images.device).T


def _placed(matrix: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The matrix on the device; copied there once, because every copy from ordinary memory makes a GPU wait."""
    if matrix.device == device:
        return matrix
    copies: dict[torch.device, torch.Tensor] = matrix.__dict__.setdefault("copies", {})
    if device not in copies:
        copies[device] = matrix.to(device)
    return copies[device]


def _gaussian(window: int, sigma: float) -> torch.Tensor:
    places = torch.arange(window, dtype=torch.float64) - (window - 1) / 2
    taps = torch.exp(-(places**2) / (2 * sigma**2))
    return taps / taps.sum()


def _cubic(distance: torch.Tensor) -> torch.Tensor:
    """Keys' cubic convolution kernel with a = -0.5."""
    d = distance.abs()
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return torch.where(d <= 1, near, torch.where(d <= 2, far, torch.zeros_like(d)))
