"""The chart of the head: a flat texture on the sphere of directions, and the canonical face drawn on it.

A direction d = (right, down, to the viewer) has the chart place s = (dx, dy) / sqrt(1 + dz), Lambert's equal-area
projection: little distortion on the face, no trigonometry per pixel; the chart reaches 131 degrees from the front.
Canonical coordinates (X, Y) are those of a frontal drawing of the mean face: eyes at Y = 0, Y down, one unit is
about 12 cm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Points = NDArray[np.float64]

TEXELS = 384
HALF = 1.29
REFERENCE = (0.665, 1.03, 0.90)  # half axes of the mean head: right, down, to the viewer
EXPONENT = 2.3
_RING = np.column_stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)]) * 1.04


@dataclass(frozen=True)
class Chart:
    """Per texel: direction (TEXELS, TEXELS, 3), canonical place (X, Y), angle from the front and around it."""

    direction: Array
    x: Array
    y: Array
    front: Array  # angle between direction and the viewer's axis, radians
    around: Array  # 0 straight down, +-pi up, positive to the right, radians
    azimuth: Array  # radians, positive to the right
    elevation: Array  # radians, positive down


def moved(points: Points, right: float, down: float) -> Points:
    """The points (..., 2) moved by a distance."""
    return np.asarray(points + np.array([right, down]))


def canonical_direction(points: Points) -> Points:
    """Canonical (N, 2) -> unit directions (N, 3) through the mean head."""
    z = _mean_depth(points)
    vector = np.column_stack([points, z])
    return np.asarray(vector / np.sqrt((vector * vector).sum(1, keepdims=True)))


def _mean_depth(points: Points) -> Points:
    a, b, c = REFERENCE
    rest = 1.0 - np.abs(points[:, 0] / a) ** EXPONENT - np.abs(points[:, 1] / b) ** EXPONENT
    return np.asarray(c * np.maximum(rest, 1e-3) ** (1 / EXPONENT))


def texels(points: Points) -> Points:
    """Canonical (N, 2) -> texel coordinates (N, 2)."""
    points = np.asarray(points, np.float64)
    z = _mean_depth(points)
    length = np.sqrt(points[:, 0] ** 2 + points[:, 1] ** 2 + z**2)
    factor = (TEXELS - 1) / 2.0 / HALF / np.sqrt(length * (length + z))
    return points * factor[:, None] + (TEXELS - 1) / 2.0


def superellipsoid(direction: NDArray[np.floating], axes: tuple[float, float, float]) -> NDArray[np.floating]:
    """Radius of the head's base form in each direction (..., 3)."""
    total = sum(np.abs(direction[..., i] / axes[i]) ** EXPONENT for i in range(3))
    return np.asarray(total ** (-1 / EXPONENT))


@lru_cache(maxsize=1)
def chart() -> Chart:
    """The one chart, made at first use."""
    angles = np.linspace(0, np.radians(131), 4096)
    radii = np.sin(angles) / np.sqrt(1 + np.cos(angles))
    place = (np.arange(TEXELS) / ((TEXELS - 1) / 2.0) - 1.0) * HALF
    s, t = np.meshgrid(place, place)
    radius = np.hypot(s, t)
    front = np.interp(radius, radii, angles)
    ratio = np.sin(front) / np.maximum(radius, 1e-9)
    direction = np.stack([s * ratio, t * ratio, np.cos(front)], -1)
    reach = superellipsoid(direction, REFERENCE)
    return Chart(
        direction.astype(np.float32),
        (direction[..., 0] * reach).astype(np.float32),
        (direction[..., 1] * reach).astype(np.float32),
        front.astype(np.float32),
        np.arctan2(direction[..., 0], direction[..., 1]).astype(np.float32),
        np.arctan2(direction[..., 0], direction[..., 2]).astype(np.float32),
        np.arcsin(np.clip(direction[..., 1], -1, 1)).astype(np.float32),
    )


def window(points: Points, margin: float) -> tuple[slice, slice]:
    """Rows and columns of the texture around canonical points, with a margin in texels."""
    place = texels(points)
    low = np.maximum(np.floor(place.min(0) - margin).astype(int), 0)
    high = np.minimum(np.ceil(place.max(0) + margin).astype(int) + 1, TEXELS)
    return slice(low[1], max(high[1], low[1] + 1)), slice(low[0], max(high[0], low[0] + 1))


def bump(
    target: Array, centre: tuple[float, float], sigma: tuple[float, float], amount: float, lower: float = 0.0
) -> None:
    """Add a Gaussian hill in canonical coordinates; `lower`, if given, is the vertical sigma below the centre."""
    reach = 3.2 * np.array([sigma[0], max(sigma[1], lower)])
    rows, columns = window(np.array(centre) + _RING * reach, 2)
    base = chart()
    x, y = base.x[rows, columns] - np.float32(centre[0]), base.y[rows, columns] - np.float32(centre[1])
    height = np.float32(sigma[1]) if not lower else np.where(y > 0, np.float32(lower), np.float32(sigma[1]))
    hill = np.exp(np.float32(-0.5) * ((x / np.float32(sigma[0])) ** 2 + (y / height) ** 2))
    # A hill that ends in a step, however low, would show as a line in the light.
    hill = np.maximum(hill - np.float32(np.exp(-0.5 * 3.2**2)), 0)
    target[rows, columns] += np.float32(amount) * hill * (base.front[rows, columns] < 1.75)


def place_of(point: list[Array], length: Array) -> tuple[Array, Array]:
    """Texel coordinates of head coordinates (three arrays) at a distance `length` from the head's centre."""
    factor = np.float32((TEXELS - 1) / 2.0 / HALF) / np.sqrt(length * (length + point[2]) + np.float32(1e-4))
    middle = np.float32((TEXELS - 1) / 2.0)
    return np.asarray(point[0] * factor + middle, np.float32), np.asarray(point[1] * factor + middle, np.float32)


def sample(texture: Array, place: NDArray[np.floating]) -> Array:
    """Bilinear samples of a texture at texel coordinates (H, W, 2)."""
    place = place.astype(np.float32)
    return np.asarray(
        cv2.remap(texture, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )
