"""The texture of a head while it is painted, and brushes in canonical coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from blindface.rendered.chart import TEXELS, Array, Points, texels

_SHIFT = 5  # fractional bits of OpenCV's polygon corners


@dataclass
class Canvas:
    """Maps over the chart: linear colour (T, T, 3), gloss (T, T), radius of the head (T, T)."""

    colour: Array
    gloss: Array
    radius: Array

    def blend(self, mask: Mask, colour: ArrayLike, strength: float = 1.0) -> None:
        """Lay a colour over the mask."""
        rows, columns, cover = mask
        part = self.colour[rows, columns]
        part += (cover * np.float32(strength))[..., None] * (np.asarray(colour, np.float32) - part)

    def tint(self, mask: Mask, factor: ArrayLike, strength: float = 1.0) -> None:
        """Multiply the colour under the mask."""
        rows, columns, cover = mask
        change = np.asarray(factor, np.float32) - np.float32(1.0)
        self.colour[rows, columns] *= 1 + (cover * np.float32(strength))[..., None] * change

    def polish(self, mask: Mask, gloss: float) -> None:
        """Set the gloss under the mask."""
        rows, columns, cover = mask
        part = self.gloss[rows, columns]
        part += cover * (np.float32(gloss) - part)

    def raise_by(self, mask: Mask, height: float) -> None:
        """Raise (or lower) the surface under the mask."""
        rows, columns, cover = mask
        self.radius[rows, columns] += np.float32(height) * cover


Mask = tuple[slice, slice, Array]
"""Rows and columns of the texture, and how much of each texel there is covered, 0..1."""


def smooth(points: Points, count: int = 8, closed: bool = False) -> Points:
    """A Catmull-Rom curve through the points, `count` places per span."""
    p = np.asarray(points, np.float64)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.vstack([ends[0], p, ends[1]])
    t = (np.arange(count) / count)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.vstack([curve, p[-2:-1]])


def arch(corner: Points, middle: Points, other: Points, count: int = 16) -> Points:
    """The cubic through two corners and the two points between them (an eyelid)."""
    t = np.linspace(0, 1, count + 1)
    nodes = np.array([0.0, 0.32, 0.68, 1.0])
    basis = [np.prod([(t - m) / (n - m) for m in nodes if m != n], axis=0) for n in nodes]
    return np.column_stack(basis) @ np.vstack([corner[None], middle, other[None]])


def _area(place: Points, margin: float) -> tuple[slice, slice]:
    (left, top), (right, bottom) = place.min(0).tolist(), place.max(0).tolist()
    first = [min(max(int(edge - margin), 0), TEXELS - 1) for edge in (top, left)]
    last = [
        min(max(int(edge + margin) + 2, start + 1), TEXELS) for edge, start in zip((bottom, right), first, strict=True)
    ]
    return slice(first[0], last[0]), slice(first[1], last[1])


def _finish(mask: NDArray[np.uint8], blur: float) -> Array:
    cover = mask.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), blur)) if blur > 0 else cover


def fill(points: Points, blur: float = 0.0) -> Mask:
    """The inside of a closed canonical polygon, softened by `blur` texels."""
    place = texels(points)
    rows, columns = _area(place, 2 + 3 * blur)
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    corners = np.round((place - [columns.start, rows.start]) * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, _SHIFT)
    return rows, columns, _finish(mask, blur)


def ribbon(points: Points, width: float | NDArray[np.floating], blur: float = 0.0) -> Mask:
    """A band of a width (canonical, scalar or one per point) along an open canonical curve."""
    along = np.empty_like(points)
    along[1:-1], along[0], along[-1] = points[2:] - points[:-2], points[1] - points[0], points[-1] - points[-2]
    half = np.asarray(width, np.float64) / (2 * np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9))
    offset = along[:, ::-1] * half[:, None] * [-1, 1]
    return fill(np.vstack([points + offset, (points - offset)[::-1]]), blur)


def strokes(starts: Points, ends: Points, blur: float = 0.0, strength: int = 255) -> Mask:
    """Many thin straight hairs at once."""
    place = np.stack([texels(starts), texels(ends)], axis=1)
    rows, columns = _area(place.reshape(-1, 2), 2 + 3 * blur)
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    lines = np.round((place - [columns.start, rows.start]) * 2**_SHIFT).astype(np.int32)
    cv2.polylines(mask, list(lines), False, strength, 1, cv2.LINE_AA, _SHIFT)
    return rows, columns, _finish(mask, blur)


def disc(centre: ArrayLike, radius: float | tuple[float, float], blur: float = 0.0) -> Mask:
    """An ellipse around a canonical point."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    return fill(np.asarray(centre) + np.column_stack([np.cos(angle), np.sin(angle)]) * radius, blur)


def within(mask: Mask, limit: Mask) -> Mask:
    """The mask, kept only where the limit covers too."""
    rows = slice(max(mask[0].start, limit[0].start), min(mask[0].stop, limit[0].stop))
    columns = slice(max(mask[1].start, limit[1].start), min(mask[1].stop, limit[1].stop))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return slice(0, 1), slice(0, 1), np.zeros((1, 1), np.float32)
    parts = [
        m[2][rows.start - m[0].start : rows.stop - m[0].start, columns.start - m[1].start : columns.stop - m[1].start]
        for m in (mask, limit)
    ]
    return rows, columns, parts[0] * parts[1]
