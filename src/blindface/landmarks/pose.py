"""Head pose from 68 points: an estimate for sorting faces and for scores by subgroup, good to several degrees.

The face's mean shape in space is a table of our own in millimetres, for eyes 63 mm apart. Across and down it is the
mean of LFW's faces that look into the camera (PFLD's points, averaged with their mirror image); the depths follow adult
proportions: the tip of the nose stands 30 mm before the eyes' inner corners, the ears lie 72 mm behind them. OpenCV
finds the rotation that projects the table onto the points (SQPnP, Terzakis & Lourakis 2020).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.landmarks.geometry import MIRRORED, five_points

_LEFT_HALF: dict[int, tuple[float, float, float]] = {
    # x to the right, y down, z away from the viewer, mm; the origin lies between the inner corners of the eyes
    **{0: (-76, 1, 72), 1: (-75, 21, 70), 2: (-73, 41, 66), 3: (-68, 61, 58), 4: (-60, 79, 46), 5: (-49, 94, 31)},
    **{6: (-34, 106, 17), 7: (-18, 115, 8), 8: (0, 118, 4)},
    **{17: (-57, -12, 14), 18: (-48, -19, 4), 19: (-36, -21, -2), 20: (-24, -19, -6), 21: (-13, -15, -8)},
    **{27: (0, -2, -10), 28: (0, 10, -16), 29: (0, 21, -23), 30: (0, 33, -30)},
    **{31: (-15, 42, -8), 32: (-8, 45, -14), 33: (0, 47, -18)},
    **{36: (-44, 1, 11), 37: (-36, -3, 3), 38: (-26, -3, 1), 39: (-18, 2, 4), 40: (-26, 4, 2), 41: (-36, 4, 4)},
    **{48: (-28, 65, 2), 49: (-18, 60, -7), 50: (-7, 58, -12), 51: (0, 60, -13)},
    **{57: (0, 81, -10), 58: (-8, 80, -9), 59: (-19, 75, -5)},
    **{60: (-25, 65, 0), 61: (-8, 64, -8), 62: (0, 65, -9), 66: (0, 71, -9), 67: (-8, 70, -8)},
}


def mean_shape() -> NDArray[np.float64]:
    """The 68 points in space (68, 3), mm: x right, y down, z away from the viewer; mirror-symmetric."""
    shape = np.full((68, 3), np.nan)
    for place, position in _LEFT_HALF.items():
        shape[place] = position
        shape[MIRRORED[place]] = (-position[0], *position[1:])
    return shape


STEADY = (*range(27, 36), *range(36, 48), 48, 54)
"""Nose, eyes and corners of the mouth: the outline slides along a turned head, brows and lips move by themselves."""

INNER = slice(17, 68)
"""All points but the outline."""

DISTANCE = 4.0
"""Focal length over the side of the picture: a portrait from some metres, so that perspective hardly matters."""


def head_pose(points: NDArray[Any], size: int) -> tuple[float, float]:
    """Yaw and pitch of one face in degrees; NaN where no rotation fits.

    points: (68, 2) in pixels of a picture with `size` px a side. Yaw is positive where the face turns to the right of
    the picture, pitch where it looks up.
    """
    solved = _solve(_STEADY_SHAPE, points[list(STEADY)], size)
    if solved is None:
        return float("nan"), float("nan")
    x, y, z = cv2.Rodrigues(solved[0])[0] @ np.array([0.0, 0.0, -1.0])  # where the nose points to
    return float(np.degrees(np.arctan2(x, -z))), float(np.degrees(np.arctan2(-y, np.hypot(x, z))))


def head_poses(points: NDArray[Any], size: int) -> NDArray[np.float32]:
    """Yaw and pitch (N, 2) in degrees of (N, 68, 2) points, rows of NaN for faces of NaN."""
    poses = np.full((len(points), 2), np.nan, np.float32)
    for place, face in enumerate(points):
        if np.isfinite(face).all():
            poses[place] = head_pose(face, size)
    return poses


def expected_points(known: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Where the 68 points are to be expected, from some of them.

    known: in pixels of a picture with `size` px a side, either (N, 5, 2), eyes, tip of the nose and corners of the
    mouth, or (N, 68, 2), of which those inside the face count. The mean shape is turned so that it falls on them, and
    projected. Returns (N, 68, 2), NaN where what is known is NaN or no rotation fits.
    """
    whole = known.shape[1] == 68
    shape = mean_shape()[INNER] if whole else _FIVE_SHAPE
    expected = np.full((len(known), 68, 2), np.nan)
    for place, seen in enumerate(np.asarray(known[:, INNER] if whole else known, np.float64)):
        solved = _solve(shape, seen, size) if np.isfinite(seen).all() else None
        if solved is not None:
            expected[place] = cv2.projectPoints(mean_shape(), *solved, _camera(size), None)[0][:, 0]
    return expected


def _camera(size: int) -> NDArray[np.float64]:
    focal, centre = DISTANCE * size, (size - 1) / 2
    return np.array([[focal, 0, centre], [0, focal, centre], [0, 0, 1.0]])


def _solve(shape: NDArray[Any], seen: NDArray[Any], size: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Rotation and shift that project the shape (K, 3) onto the points (K, 2), None where nothing fits."""
    try:
        solved, rotation, shift = cv2.solvePnP(
            shape, np.ascontiguousarray(seen, np.float64), _camera(size), None, flags=cv2.SOLVEPNP_SQPNP
        )
    except cv2.error:
        return None
    return (rotation, shift) if solved and np.isfinite(rotation).all() and np.isfinite(shift).all() else None


_FIVE_SHAPE = five_points(mean_shape()[None])[0]
_STEADY_SHAPE = mean_shape()[list(STEADY)]
