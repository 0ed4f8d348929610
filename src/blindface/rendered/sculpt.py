"""The form of the head without hair: how far the skin lies from the head's centre in every direction."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from blindface.rendered.anatomy import LEFT_EYE, RIGHT_EYE
from blindface.rendered.chart import REFERENCE, Array, Points, bump, canonical_direction, chart, superellipsoid
from blindface.rendered.traits import Person


def smoothstep(value: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between (descending if low > high)."""
    t = np.clip((value - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def head_axes(person: Person) -> tuple[float, float, float]:
    """Half axes of the person's head."""
    width = REFERENCE[0] * (1 + 0.035 * person.shape["face_width"])
    return width, REFERENCE[1] * (1 + 0.01 * person.shape["forehead"]), REFERENCE[2]


def jaw_edge(face: Points) -> Array:
    """Per texel: how far beyond the jaw line its direction lies, radians (negative: on the face)."""
    base = chart()
    direction = canonical_direction(face[:17])
    around = np.arctan2(direction[:, 0], direction[:, 1])
    reach = np.arccos(np.clip(direction[:, 2], -1, 1))
    order = np.argsort(around)
    grid = np.linspace(-np.pi, np.pi, 1025)
    table = np.interp(grid, around[order], reach[order]).astype(np.float32)
    index = ((base.around + np.float32(np.pi)) * np.float32(1024 / (2 * np.pi))).astype(np.int32)
    return base.front - table[index]


def _nose(radius: Array, face: Points, person: Person) -> None:
    lift = 1 + 0.14 * person.shape["nose_prominence"]
    wide = 1 + 0.12 * person.shape["nose_width"]
    tip, root = face[30], face[27]
    for share, height in ((0.0, 0.035), (0.3, 0.045), (0.55, 0.055), (0.78, 0.055)):
        centre = root + share * (tip - root)
        extra = 0.012 * person.shape["nose_bridge"] if 0 < share < 0.7 else 0.0
        bump(radius, (0.0, float(centre[1])), (0.062 * wide, 0.10), (height + extra) * lift)
    bump(radius, (0.0, float(tip[1]) + 0.035), (0.072 * wide, 0.085), 0.165 * lift, lower=0.045)
    for side in (-1, 1):
        wing = face[33 + 2 * side]
        bump(radius, (float(wing[0]) * 0.80, float(wing[1]) - 0.035), (0.042 * wide, 0.05), 0.068, lower=0.034)
        bump(radius, (float(wing[0]) * 1.35, float(wing[1]) - 0.02), (0.03, 0.05), -0.015)


def _eyes(radius: Array, face: Points, person: Person) -> None:
    deep = 1 + 0.22 * person.shape["eye_depth"]
    for side, part in ((-1, LEFT_EYE), (1, RIGHT_EYE)):
        x, y = face[part].mean(0)
        bump(radius, (x, y - 0.01), (0.135, 0.085), -0.085 * deep)
        bump(radius, (side * 0.125, y + 0.0), (0.05, 0.075), -0.045 * deep)
        bump(radius, (x, y), (0.085, 0.055), 0.062)
        bump(radius, (x + side * 0.02, y - 0.155), (0.17, 0.055), 0.030 + 0.008 * person.masculinity)
        bump(radius, (x, y + 0.11), (0.10, 0.028), -0.008 - 0.012 * person.age)


def _mouth_and_chin(radius: Array, face: Points, person: Person, expression: Mapping[str, float]) -> None:
    smile, opening = max(expression["smile"], 0.0), expression["open"]
    top, low = face[51, 1], face[57, 1]
    bump(radius, (0, 0.56), (0.27, 0.17), 0.048)
    bump(radius, (0, top - 0.055), (0.022, 0.05), -0.012)
    bump(radius, (0, low + 0.085), (0.16, 0.045), -0.036)
    chin = face[8, 1]
    bump(radius, (0, chin - 0.11), (0.17, 0.10), 0.085 * (1 + 0.2 * person.shape["chin_prominence"]) - 0.03 * opening)
    for side in (-1, 1):
        corner = face[51 + 3 * side]
        bump(radius, (corner[0] + side * 0.02, corner[1]), (0.035, 0.04), -0.018 - 0.012 * smile)
        cheek = 0.045 + 0.012 * person.shape["cheekbones"] + 0.035 * smile
        bump(radius, (side * 0.36, 0.20 - 0.02 * smile), (0.15, 0.12), cheek)
        bump(radius, (side * 0.44, 0.52), (0.11, 0.15), -0.022 - 0.012 * person.shape["cheekbones"])
        bump(radius, (side * 0.56, -0.30), (0.12, 0.15), -0.025)


def _ears(radius: Array) -> Array:
    """Raise the ears; returns how much of each texel is ear."""
    base = chart()
    across = (np.abs(base.azimuth) - np.float32(np.radians(97))) * np.float32(1 / np.radians(13))
    down = (base.elevation - np.float32(np.radians(7))) * np.float32(1 / np.radians(19))
    across = across + np.float32(0.25) * down
    distance = np.sqrt(across**2 + down**2)
    ear = smoothstep(distance, 1.05, 0.8)
    inside = smoothstep(distance, 0.72, 0.35)
    radius += ear * (np.float32(0.055) + np.float32(0.045) * across) - np.float32(0.035) * inside * ear
    return ear


def sculpt(face: Points, person: Person, expression: Mapping[str, float]) -> tuple[Array, Array]:
    """Radius of the skin (T, T), and how much of each texel is ear (T, T)."""
    base = chart()
    radius = superellipsoid(base.direction, head_axes(person)).astype(np.float32)
    below = (
        np.float32(0.10 * expression["open"]) * smoothstep(base.elevation, 0.25, 0.9) * smoothstep(base.front, 1.8, 1.2)
    )
    radius += below
    bump(radius, (0.0, -0.45), (0.36, 0.20), 0.02 + 0.012 * person.shape["forehead"])
    _eyes(radius, face, person)
    _nose(radius, face, person)
    _mouth_and_chin(radius, face, person, expression)
    beyond = jaw_edge(face)
    fade = smoothstep(np.abs(base.around), np.radians(88), np.radians(55))
    radius *= 1 - np.float32(0.30) * fade * (1 - np.exp(-np.maximum(beyond, 0) * np.float32(1 / 0.22)))
    return radius, _ears(radius)
