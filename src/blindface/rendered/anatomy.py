"""The 68 landmarks (iBUG / 300-W order) of a person with an expression, in canonical coordinates.

0-16 jaw from the picture's left to right, 17-21 and 22-26 brows, 27-30 bridge and 31-35 base of the nose,
36-41 and 42-47 eyes, 48-59 outer and 60-67 inner contour of the lips. The mean face is one half and its mirror image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

# The right half of the picture (the person's left), canonical units; the midline points have X = 0.
_JAW = [
    (0.0, 0.98),
    (0.145, 0.965),
    (0.272, 0.905),
    (0.385, 0.805),
    (0.478, 0.675),
    (0.547, 0.52),
    (0.587, 0.35),
    (0.606, 0.175),
    (0.612, 0.0),
]
_BROW = [(0.108, -0.142), (0.205, -0.186), (0.312, -0.203), (0.418, -0.180), (0.500, -0.118)]
_BRIDGE = [(0.0, -0.008), (0.0, 0.078), (0.0, 0.164), (0.0, 0.252)]
_BASE = [(0.0, 0.388), (0.064, 0.376), (0.122, 0.356)]
_EYE = [(0.152, 0.020), (0.226, -0.044), (0.312, -0.045), (0.384, 0.004), (0.315, 0.037), (0.228, 0.038)]
_OUTER_TOP = [(0.0, 0.529), (0.060, 0.514), (0.148, 0.534), (0.232, 0.570)]
_OUTER_LOW = [(0.0, 0.662), (0.066, 0.656), (0.150, 0.630)]
_INNER_TOP = [(0.0, 0.573), (0.064, 0.568), (0.205, 0.571)]
_INNER_LOW = [(0.0, 0.577), (0.064, 0.573)]
EYE_CENTRE = (0.265, 0.0)


def _mirror(points: Points) -> Points:
    return np.asarray(points * np.array([-1.0, 1.0]))


def mean_face() -> Points:
    """The mean face, (68, 2): symmetrical, mouth closed."""
    jaw, brow, eye = np.array(_JAW), np.array(_BROW), np.array(_EYE)
    base, top, low = np.array(_BASE), np.array(_OUTER_TOP), np.array(_OUTER_LOW)
    inner, under = np.array(_INNER_TOP), np.array(_INNER_LOW)
    left_eye = _mirror(eye)[[3, 2, 1, 0, 5, 4]]
    return np.vstack([
        _mirror(jaw[:0:-1]), jaw, _mirror(brow[::-1]), brow, np.array(_BRIDGE), _mirror(base[:0:-1]), base,
        left_eye, eye,
        _mirror(top[:0:-1]), top, low[:0:-1], low[:1], _mirror(low[1:]),
        _mirror(inner[:0:-1]), inner, under[:0:-1], under[:1], _mirror(under[1:]),
    ])  # fmt: skip


JAW, BROWS, NOSE = slice(0, 17), slice(17, 27), slice(27, 36)
LEFT_EYE, RIGHT_EYE, MOUTH = slice(36, 42), slice(42, 48), slice(48, 68)
OUTER, INNER = slice(48, 60), slice(60, 68)


def _turn(points: Points, centre: Points, angle: float, scale: tuple[float, float]) -> Points:
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray((points - centre) * scale @ np.array([[c, s], [-s, c]]) + centre)


def shape_face(shape: Mapping[str, float]) -> Points:
    """The landmarks of a person without expression, (68, 2)."""
    p = mean_face()
    lower = np.clip(p[JAW, 1] / 0.8, 0, 1)
    p[JAW, 0] *= (
        1 + 0.055 * shape["jaw_width"] * lower + 0.05 * shape["chin_width"] * np.clip(lower - 0.9, 0, 1) * 10 * 0.5
    )
    p[JAW, 1] += 0.028 * shape["chin_length"] * np.clip(p[JAW, 1], 0, 1) ** 2
    for side, eye, brow in ((-1, LEFT_EYE, slice(17, 22)), (1, RIGHT_EYE, slice(22, 27))):
        centre = np.array([side * EYE_CENTRE[0], EYE_CENTRE[1]])
        size = 1 + 0.055 * shape["eye_size"]
        p[eye] = _turn(
            p[eye], centre, -side * 0.035 * shape["eye_tilt"], (size, size * (1 + 0.09 * shape["eye_height"]))
        )
        p[brow, 1] -= 0.014 * shape["brow_height"] + 0.009 * shape["brow_arch"] * np.array([0, 0.4, 1, 0.8, 0])[::side]
        p[brow] = _turn(p[brow], p[brow].mean(0), -side * 0.045 * shape["brow_tilt"], (1.0, 1.0))
        for part in (eye, brow):
            p[part, 0] += side * 0.011 * shape["eye_spacing"]
    p[NOSE, 1] *= 1 + 0.045 * shape["nose_length"]
    p[31:36, 0] *= 1 + 0.10 * shape["nose_width"]
    middle = p[60, 1]
    p[OUTER, 1] = middle + (p[OUTER, 1] - middle) * (1 + 0.15 * shape["lip_fullness"])
    p[MOUTH, 0] *= 1 + 0.06 * shape["mouth_width"]
    p[MOUTH, 1] += 0.016 * shape["mouth_height"] + 0.4 * (p[33, 1] - mean_face()[33, 1])
    return p


def _eyes(p: Points, squint: float, down: float) -> None:
    for eye in (LEFT_EYE, RIGHT_EYE):
        upper, under = np.array([1, 2]) + eye.start, np.array([4, 5]) + eye.start
        middle = p[[eye.start, eye.start + 3], 1].mean()
        p[upper, 1] = middle + (p[upper, 1] - middle) * (1 - 0.30 * squint) + 0.008 * down
        p[under, 1] = middle + (p[under, 1] - middle) * (1 - 0.38 * squint) + 0.004 * down


def _lips(p: Points, smile: float, opening: float) -> None:
    x = p[MOUTH, 0]
    corner = np.abs(x) / np.abs(p[[48, 54], 0]).mean()
    low = np.isin(np.arange(48, 68), [55, 56, 57, 58, 59, 65, 66, 67])
    p[MOUTH, 0] = x * (1 + 0.15 * smile - 0.10 * opening * (1 - max(smile, 0)))
    thin = 1 - 0.14 * max(smile, 0)
    p[MOUTH, 1] = p[60, 1] + (p[MOUTH, 1] - p[60, 1]) * thin - 0.045 * smile * corner**1.5
    parted = 0.05 * max(smile - 0.35, 0)
    p[MOUTH, 1] += low * (0.17 * opening + parted) * (1 - corner**2.5)
    p[MOUTH, 1] -= ~low * (0.018 * opening + 0.35 * parted) * (1 - corner**2.5)
    p[[48, 54, 60, 64], 1] += 0.05 * opening


def express(face: Points, expression: Mapping[str, float], gaze_down: float = 0.0) -> Points:
    """The landmarks with an expression, (68, 2). Keys: smile, open, raise, raise_side, frown, squint."""
    p = face.copy()
    smile, opening = expression["smile"], expression["open"]
    _eyes(p, expression["squint"], gaze_down)
    _lips(p, smile, opening)
    for side, brow in ((-1, slice(17, 22)), (1, slice(22, 27))):
        inner = np.array([1, 0.7, 0.35, 0.1, 0])[:: side or 1]
        p[brow, 1] -= 0.055 * expression["raise"] + 0.02 * side * expression["raise_side"]
        p[brow, 1] += 0.045 * expression["frown"] * inner
        p[brow, 0] -= side * 0.022 * expression["frown"] * inner
    drop = np.clip((p[JAW, 1] - 0.2) / 0.8, 0, 1)
    p[JAW, 1] += 0.10 * opening * drop
    p[JAW, 0] *= 1 + 0.015 * smile * (drop > 0) - 0.02 * opening * drop
    p[31:36, 0] *= 1 + 0.05 * smile
    return p
