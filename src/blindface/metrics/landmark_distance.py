"""Landmark distance: how far the 68 points of the restored face are from those of the target's.

    d = mean over points of |p_restored - p_target| / inter-ocular distance of the target (outer eye corners)

The normalised mean error of face alignment (Sagonas et al. 2013, 300-W). The network that found the target's landmarks
looks at the restored image in the same face box. A detector run anew on every restored image would miss the worst ones
and so flatter bad methods; with one box all methods are measured on the same images.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from blindface.base.images import Image
from blindface.landmarks.geometry import Points, five_points

OUTER_CORNERS = (36, 45)
"""Outer corners of the eyes, in iBUG's order."""


class Network(Protocol):
    """A landmark network: pictures (N, H, W, 3) uint8 and faces (N, 15) of a detector -> points (N, 68, 2)."""

    def __call__(self, images: Image, faces: NDArray[np.float32]) -> Points:
        """The points in pixels of the pictures."""


def landmark_distance(points: NDArray[np.floating], wanted: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean distance of points (N, 68, 2) to the wanted ones, in inter-ocular distances of the latter: float64 (N,).

    NaN where a point is not a number or the eye corners fall together.
    """
    a, b = (np.asarray(part, dtype=np.float64) for part in (points, wanted))
    if a.shape != b.shape or a.shape[1:] != (68, 2):
        raise ValueError(f"expected paired landmarks (N, 68, 2), got {a.shape} and {b.shape}")
    apart = np.linalg.norm(b[:, OUTER_CORNERS[0]] - b[:, OUTER_CORNERS[1]], axis=1)
    error = np.linalg.norm(a - b, axis=2).mean(axis=1)
    return np.asarray(np.divide(error, apart, out=np.full(len(a), np.nan), where=apart > 0))


def measure_landmarks(
    network: Network,
    images: Image,
    points: NDArray[np.float32],
    boxes: NDArray[np.float32],
    found: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The distance for restored images (N, 128, 128, 3) uint8; NaN where the target has no found face: float64 (N,).

    points: (N, 68, 2) landmarks of the targets by the same network, boxes: (N, 4) their faces, x0, y0, x1, y1 in px.
    """
    values = np.full(len(images), np.nan)
    seen = np.flatnonzero(found & np.isfinite(boxes).all(axis=1))
    if len(seen) == 0:
        return values
    five = five_points(points[seen]).reshape(-1, 10)
    faces = np.concatenate([boxes[seen], np.ones((len(seen), 1)), five], axis=1).astype(np.float32)
    values[seen] = landmark_distance(network(images[seen], faces), points[seen])
    return values
