"""Glasses: curves in space before the eyes, drawn over the lit picture with shade, tint and reflection."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.rendered.anatomy import LEFT_EYE, RIGHT_EYE
from blindface.rendered.chart import Array, Points
from blindface.rendered.raycast import View, surface_points
from blindface.rendered.traits import Person, Shot, srgb

_FORMS = {  # half width, half height, exponent of the outline, thickness, share of the rim drawn
    "thin metal": (0.185, 0.125, 2.7, 0.013, 1.0),
    "dark frame": (0.195, 0.135, 3.4, 0.034, 1.0),
    "half rim": (0.190, 0.115, 3.2, 0.024, 0.5),
    "round": (0.165, 0.160, 2.0, 0.015, 1.0),
}
_COLOURS = {"thin metal": (120, 112, 100), "dark frame": (26, 20, 18), "half rim": (40, 36, 36), "round": (70, 52, 34)}


def _rim(centre: Points, depth: float, form: tuple[float, ...], side: int) -> NDArray[np.float64]:
    wide, high, power = form[:3]
    angle = np.linspace(0, 2 * np.pi, 49)
    c, s = np.cos(angle), np.sin(angle)
    x = np.sign(c) * np.abs(c) ** (2 / power) * wide
    y = np.sign(s) * np.abs(s) ** (2 / power) * high
    back = depth - 0.5 * np.maximum(side * x, 0) ** 1.5
    return np.column_stack([centre[0] + x, centre[1] + y, back])


def _draw(mask: NDArray[np.uint8], place: Points, thickness: float) -> None:
    lines = [np.round(place[:, :2] * 16).astype(np.int32)]
    cv2.polylines(mask, lines, False, 255, max(1, round(thickness)), cv2.LINE_AA, 4)


def _frame_curves(
    face: Points, radius: Array, person: Person
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Closed lens outlines and the other curves, head coordinates."""
    form = _FORMS[person.glasses]
    brow = surface_points(radius, np.array([[-0.27, -0.12], [0.27, -0.12], [0.0, 0.03], [-0.36, 0.16], [0.36, 0.16]]))
    depth = float(max(brow[:2, 2].max() + 0.045, brow[2, 2] + 0.0, brow[3:, 2].max() + 0.03))
    eyes = [surface_points(radius, face[part].mean(0)[None])[0, :2] + [0, 0.02] for part in (LEFT_EYE, RIGHT_EYE)]
    lenses = [_rim(centre, depth, form, side) for centre, side in zip(eyes, (-1, 1), strict=True)]
    inner = [lenses[0][:, 0].max(), lenses[1][:, 0].min()]
    t = np.linspace(0, 1, 9)
    level = float(np.mean([e[1] for e in eyes])) - 0.35 * form[1]
    bridge = np.column_stack(
        [inner[0] + (inner[1] - inner[0]) * t, level - 0.05 * np.sin(np.pi * t), depth + 0.02 * np.sin(np.pi * t)]
    )
    curves = [bridge]
    for side, lens in zip((-1, 1), lenses, strict=True):
        edge = lens[np.argmax(side * lens[:, 0])]
        end = np.array([side * 0.76, edge[1] - 0.02, -0.05])
        hinge = np.array([edge[0] + side * 0.03, level, edge[2] - 0.03])
        curves.append(np.vstack([[edge[0], level, edge[2]], hinge + (end - hinge) * np.linspace(0, 1, 24)[:, None]]))
    return lenses, curves


def wear_glasses(
    picture: Array, depth: Array, view: View, face: Points, radius: Array, person: Person, shot: Shot
) -> None:
    """Draw the person's glasses into the linear picture (H, W, 3), hidden where the depth map is nearer."""
    form = _FORMS[person.glasses]
    lenses, curves = _frame_curves(face, radius, person)
    frame, glass = np.zeros(picture.shape[:2], np.uint8), np.zeros(picture.shape[:2], np.uint8)
    thickness = form[3] * view.scale
    for lens in lenses:
        place = view.project(lens)
        cv2.fillPoly(glass, [np.round(place[:, :2] * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        _draw(frame, place if form[4] == 1 else place[24:], thickness)
        if form[4] < 1:
            _draw(frame, place[:25], 1.0)
    _draw(frame, view.project(curves[0]), thickness * 0.9)
    for temple in curves[1:]:
        place = view.project(temple)
        inside = np.clip(np.round(place[:, :2]).astype(int), 0, len(depth) - 1)
        seen = place[:, 2] > depth[inside[:, 1], inside[:, 0]] - 0.03
        for start in range(len(place) - 1):
            if seen[start] and seen[start + 1]:
                _draw(frame, place[start : start + 2], thickness * 0.8)
    frame_cover, glass_cover = (mask.astype(np.float32) * np.float32(1 / 255) for mask in (frame, glass))
    _composite(picture, frame_cover, glass_cover, view, person, shot)


def _composite(picture: Array, frame: Array, glass: Array, view: View, person: Person, shot: Shot) -> None:
    light, size = shot.light, picture.shape[0]
    reach = 0.07 * view.scale / max(float(light[2]), 0.35)
    shift = np.array([[1, 0, -light[0] * reach], [0, 1, -light[1] * reach]], np.float32)
    shadow = cv2.GaussianBlur(cv2.warpAffine(frame, shift, (size, size)), (0, 0), 0.015 * view.scale)
    picture *= (1 - np.float32(0.40) * shadow)[..., None]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / np.float32(view.scale)
    band = (
        np.clip(np.sin((x * np.float32(1.3) - y) * np.float32(3.0) + np.float32(12 * shot.extra["reflection"])), 0, 1)
        ** 3
    )
    strength = np.float32(0.10 * shot.extra["reflection"] ** 2)
    picture *= (1 - np.float32(0.07) * glass)[..., None]
    picture += (glass * (np.float32(0.006) + strength * band))[..., None] * (shot.fill + shot.key * np.float32(0.6))
    core = cv2.erode(frame, np.ones((2, 2), np.uint8))
    ridge = np.clip(core - cv2.warpAffine(core, np.array([[1, 0, 0], [0, 1, 1.2]], np.float32), (size, size)), 0, 1)
    colour = srgb(*_COLOURS[person.glasses])
    tone = (colour * (0.35 * shot.key + 0.5 * shot.fill))[None, None] + ridge[..., None] * np.float32(0.16) * shot.key
    picture += frame[..., None] * (tone - picture)
