"""The one place for range and layout conversions of images.

Stored images are uint8 RGB in HWC order. Networks see float NCHW in [-1, 1]; metrics see float NCHW in [0, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Image = NDArray[np.uint8]
"""uint8 RGB image, (H, W, 3); stacks of them are (N, H, W, 3)."""

SIZE = 128
"""Side of targets and restored images, in pixels; landmarks are measured in it, and the networks are built for it."""

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
"""Names of the parameters' interpolations and OpenCV's flags."""


def resize(image: Image, size: int, interpolation: str) -> Image:
    """Resize one uint8 image (H, W, 3) to (size, size, 3) with OpenCV; equal sizes return the image unchanged."""
    if image.shape[0] == size and image.shape[1] == size:
        return image
    return np.asarray(cv2.resize(image, (size, size), interpolation=INTERPOLATIONS[interpolation]), dtype=np.uint8)


def to_signed(images: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [-1, 1], on the same device."""
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [0, 1], on the same device."""
    return images.permute(0, 3, 1, 2).float().div(255.0)


def signed_to_uint8(images: torch.Tensor) -> torch.Tensor:
    """float (N, 3, H, W), nominally in [-1, 1] -> uint8 (N, H, W, 3): clipped, rounded to the nearest of 256 levels."""
    import torch

    levels = images.float().add(1.0).mul(127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
