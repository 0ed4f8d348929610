"""Head pose from 68 points: an estimate for sorting faces and for scores by subgroup, good to several degrees.

The face's mean shape in space is a table of our own, drawn up from adult proportions in millimetres: eye centres 63 mm
apart, nose 41 mm from the bridge to the tip, which stands 20 mm before the bridge, mouth 52 mm wide. OpenCV finds the
rotation that projects the table onto the points (SQPnP, Terzakis & Lourakis 2020).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.landmarks.geometry import MIRRORED, five_points

_LEFT_HALF: dict[int, tuple[float, float, float]] = {
    # x to the right, y down, z away from the viewer, mm; the origin lies between the inner corners of the eyes
    **{0: (-73, 2, 72), 1: (-72, 20, 70), 2: (-70, 38, 66), 3: (-66, 56, 58), 4: (-58, 72, 46), 5: (-46, 86, 31)},
    **{6: (-31, 97, 17), 7: (-15, 104, 8), 8: (0, 107, 4)},
    **{17: (-60, -18, 14), 18: (-52, -26, 4), 19: (-41, -29, -2), 20: (-29, -27, -6), 21: (-17, -22, -8)},
    **{27: (0, -2, -10), 28: (0, 12, -16), 29: (0, 26, -23), 30: (0, 39, -30)},
    **{31: (-15, 48, -8), 32: (-8, 51, -14), 33: (0, 53, -18)},
    **{36: (-46, 1, 11), 37: (-37, -5, 3), 38: (-26, -5, 1), 39: (-17, 2, 4), 40: (-26, 5, 2), 41: (-36, 5, 4)},
    **{48: (-26, 72, 2), 49: (-16, 67, -7), 50: (-6, 64, -12), 51: (0, 66, -13)},
    **{57: (0, 82, -10), 58: (-7, 82, -9), 59: (-16, 79, -5)},
    **{60: (-22, 72, 0), 61: (-7, 71, -8), 62: (0, 72, -9), 66: (0, 73, -9), 67: (-7, 73, -8)},
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

DISTANCE = 4.0
"""Focal length over the side of the picture: a portrait from some metres, so that perspective hardly matters."""


def rotation_matrix(yaw: float, pitch: float) -> NDArray[np.float64]:
    """The rotation (3, 3) of the mean shape for a yaw and a pitch in degrees, as `head_pose` reports them."""
    turn, rise = np.radians(yaw), np.radians(pitch)
    about_y = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(rise), np.sin(rise)], [0, -np.sin(rise), np.cos(rise)]])
    return np.asarray(about_y @ about_x)


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


def expected_points(five: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Where the 68 points are to be expected, from eyes, tip of the nose and corners of the mouth alone.

    five: (N, 5, 2) in pixels of a picture with `size` px a side. The mean shape is turned so that its five points fall
    on them, and projected. Returns (N, 68, 2), NaN where the five are not known or no rotation fits.
    """
    expected = np.full((len(five), 68, 2), np.nan)
    for place, seen in enumerate(np.asarray(five, np.float64)):
        solved = _solve(_FIVE_SHAPE, seen, size) if np.isfinite(seen).all() else None
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
