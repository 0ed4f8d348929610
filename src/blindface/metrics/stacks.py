"""What a metric is given: checked stacks of uint8 images, and their luma."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Stack = torch.Tensor | NDArray[np.uint8]
"""uint8 RGB images, (N, H, W, 3), on any device."""


def as_stack(images: Stack) -> torch.Tensor:
    """The images as a uint8 tensor (N, H, W, 3). Errors: ValueError for another type, range or layout."""
    # a copy, because torch must not write into a read-only buffer of a memory-mapped table
    stack = torch.from_numpy(np.array(images)) if isinstance(images, np.ndarray) else images
    if stack.dtype != torch.uint8:
        raise ValueError(f"metrics take uint8 images with levels 0 to 255, got {stack.dtype}")
    if stack.ndim != 4 or stack.shape[-1] != 3:
        raise ValueError(f"metrics take RGB stacks (N, H, W, 3), got {tuple(stack.shape)}")
    return stack


def as_pair(images: Stack, targets: Stack) -> tuple[torch.Tensor, torch.Tensor]:
    """Both stacks as uint8 tensors of one shape. Errors: ValueError, also for shapes that differ."""
    first, second = as_stack(images), as_stack(targets)
    if first.shape != second.shape:
        raise ValueError(f"images {tuple(first.shape)} and targets {tuple(second.shape)} differ in shape")
    return first, second


def luma(images: Stack) -> torch.Tensor:
    """The Y of YIQ (BT.601, full range), rounded to whole levels: float64 (N, 1, H, W) in 0 to 255.

    Integer arithmetic, because Y falls on exact halves for one colour in a thousand and float weights round those
    by accident. Halves go up, as in MATLAB's rgb2gray.
    """
    levels = as_stack(images).to(torch.int32)
    thousandths = 299 * levels[..., 0] + 587 * levels[..., 1] + 114 * levels[..., 2]
    return ((thousandths + 500) // 1000).double().unsqueeze(1)
