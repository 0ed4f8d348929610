"""Coordinates of landmarks: between photograph, target and crop, and what is read from the 68 points.

Everywhere pixel centres lie at integer coordinates: the first pixel covers [-0.5, 0.5]. Resizing a picture by a
factor f (area, linear or cubic, which all keep the outer edges in place) moves a point from x to (x + 0.5) * f - 0.5.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.base.images import Image

Points = NDArray[np.float32]
"""float32 (N, 68, 2): x, y in pixels, in iBUG's order (jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67)."""

MIRRORED: tuple[int, ...] = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
)
"""Which point of a mirrored face stands at each place."""

TEMPLATE_SIDE = 112
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Eye centres, tip of the nose and corners of the mouth of an aligned face in a 112 px picture: ArcFace's template
(Deng et al. 2019, arXiv 1801.07698)."""
CENTRE_SIDE = 68
"""Where no face was found the central square of so many target pixels is taken: the mean scale of LFW's faces."""


def scale_points(points: NDArray[Any], factor: float | NDArray[Any]) -> NDArray[Any]:
    """Points of a picture after it was resized by `factor`: (x + 0.5) * factor - 0.5, any shape."""
    scaled: NDArray[Any] = (points + 0.5) * factor - 0.5
    return scaled


def photograph_to_target(points: NDArray[Any], crop: NDArray[Any], size: int) -> Points:
    """Points of photographs -> points of targets that were cut out and resized (outer edges kept).

    points: (N, 68, 2) in photograph pixels; crop: (N, 3) first column, first row and side of the square that was cut
    out, in photograph pixels (integers: whole pixels); size: side of the target in px.
    """
    corner, side = crop[:, None, :2], crop[:, None, 2:]
    return scale_points(points - corner, size / side).astype(np.float32)


def square_crops(
    images: Image, boxes: NDArray[Any], margin: float, size: int
) -> tuple[Image, NDArray[np.float64], NDArray[np.float64]]:
    """Cut the square around each box and resize it.

    images: (N, H, W, 3) uint8; boxes: (N, 4) x0, y0, x1, y1 in px. The square has the box's centre; its side is the
    longer side of the box and `margin` times that on each side. Outside the picture the border pixels are repeated.
    Returns the crops (N, size, size, 3), and what leads back: corners (N, 1, 2) and factors (N, 1, 1), see from_crops.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1).clip(1.0) * (1 + 2 * margin)
    corners = (boxes[:, :2] + boxes[:, 2:]) / 2 - sides[:, None] / 2
    crops = np.empty((len(images), size, size, 3), np.uint8)
    for place, (image, corner, side) in enumerate(zip(images, corners, sides, strict=True)):
        scale = side / size
        offset = corner + 0.5 * scale  # the centre of the crop's first pixel
        matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crops[place] = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return crops, corners[:, None, :], (sides / size)[:, None, None]


def from_crops(points: NDArray[Any], corners: NDArray[Any], factors: NDArray[Any]) -> Points:
    """Points of square crops (N, 68, 2), in crop pixels, -> points of the pictures they were cut from."""
    return np.asarray((points + 0.5) * factors + corners, np.float32)


def to_crops(points: NDArray[Any], corners: NDArray[Any], factors: NDArray[Any]) -> Points:
    """The way back of `from_crops`: points of the pictures (N, 68, 2) -> points of their square crops."""
    return np.asarray((points - corners) / factors - 0.5, np.float32)


def five_points(points: NDArray[Any]) -> NDArray[Any]:
    """(N, 68, 2) -> (N, 5, 2): eye centres, tip of the nose, corners of the mouth; first the one further left."""
    parts = [points[:, 36:42].mean(axis=1), points[:, 42:48].mean(axis=1), points[:, 30], points[:, 48], points[:, 54]]
    return np.stack(parts, axis=1)


def enclosing_boxes(points: NDArray[Any]) -> NDArray[np.float32]:
    """The tight box (N, 4) x0, y0, x1, y1 around (N, 68, 2) points."""
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1).astype(np.float32)
