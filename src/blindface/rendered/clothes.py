"""Clothes: suit with tie or blouse, open shirt, crew neck, V neck; flat shapes that the shoulders' form then shades."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.rendered.chart import Array, Points, moved
from blindface.rendered.noise import cut
from blindface.rendered.raycast import View
from blindface.rendered.traits import Colour, Person, Shot


@dataclass(frozen=True)
class Frame:
    """The lower part of the picture: units right of and below the head's centre per pixel, (H, W)."""

    x: Array
    y: Array
    scale: float
    origin: tuple[float, float]  # pixel of the head's centre in this part

    @classmethod
    def of(cls, view: View, ground: int, size: int) -> Frame:
        """The rows from `ground` on of a (size, size) picture."""
        origin = (view.origin[0], view.origin[1] - ground)
        x = ((np.arange(size) - origin[0]) / view.scale).astype(np.float32)
        y = ((np.arange(size - ground) - origin[1]) / view.scale).astype(np.float32)
        grid_x, grid_y = np.meshgrid(x, y)
        return cls(grid_x, grid_y, view.scale, origin)

    def fill(self, points: Points, blur: float = 0.0) -> Array:
        """The inside of a polygon in units, softened by `blur` units."""
        mask = np.zeros(self.x.shape, np.uint8)
        place = np.asarray(points) * self.scale + self.origin
        cv2.fillPoly(mask, [np.round(place * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        cover = mask.astype(np.float32) * np.float32(1 / 255)
        return np.asarray(cv2.GaussianBlur(cover, (0, 0), blur * self.scale)) if blur else cover


def _lay(colour: Array, cover: Array, cloth: Array) -> None:
    colour += cover[..., None] * (cloth - colour)


def _darken(colour: Array, shadow: Array, strength: float) -> None:
    colour *= (1 - np.float32(strength) * shadow)[..., None]


def _both(points: list[tuple[float, float]], middle: float) -> list[NDArray[np.float64]]:
    right = np.array(points)
    return [right * [-1, 1] + [middle, 0], moved(right, middle, 0)]


def _collar(colour: Array, bare: Array, frame: Frame, cloth: Array, middle: float, tip: float) -> None:
    for part in _both([(0.52, 0.95), (0.41, 1.02), (0.03, 1.36), (tip, 1.56), (0.55, 1.25)], middle):
        _darken(colour, frame.fill(moved(part, 0, 0.03), 0.02), 0.35)
        cover = frame.fill(part)
        _lay(colour, cover, cloth)
        bare *= 1 - cover


def _tie(colour: Array, frame: Frame, shot: Shot, middle: float, weave: Array) -> None:
    knot = moved(
        np.array([[-0.09, 1.33], [0.09, 1.33], [0.06, 1.50], [0.15, 2.6], [-0.15, 2.6], [-0.06, 1.50]]), middle, 0
    )
    _darken(colour, frame.fill(moved(knot, 0.02, 0.02), 0.025), 0.4)
    stripe = 1 + np.float32(0.30) * np.sin((frame.x + frame.y) * np.float32(40)) * (shot.extra["collar"] > 0.5)
    _lay(colour, frame.fill(knot), (weave * stripe)[..., None] * shot.garment_colours[1] * np.float32(0.7))
    _darken(
        colour,
        frame.fill(moved(np.array([[-0.08, 1.49], [0.08, 1.49], [0.06, 1.54], [-0.06, 1.54]]), middle, 0), 0.015),
        0.5,
    )


def _suit(colour: Array, bare: Array, frame: Frame, shot: Shot, person: Person, middle: float, weave: Array) -> None:
    dark, _, pale = shot.garment_colours
    shirt = moved(
        np.array([[-0.55, 0.9], [0.55, 0.9], [0.46, 1.3], [0.04, 2.5], [-0.04, 2.5], [-0.46, 1.3]]), middle, 0
    )
    _lay(colour, frame.fill(shirt), weave[..., None] * pale)
    if person.masculinity > 0.5 and shot.extra["tie"] < 0.8:
        bare += frame.fill(moved(np.array([[-0.45, 0.8], [0.45, 0.8], [0.06, 1.36], [-0.06, 1.36]]), middle, 0))
        _tie(colour, frame, shot, middle, weave)
    else:
        bare += frame.fill(moved(np.array([[-0.45, 0.8], [0.45, 0.8], [0.0, 1.62]]), middle, 0))
    _collar(colour, bare, frame, weave[..., None] * pale, middle, 0.17)
    for part in _both(
        [(0.50, 0.98), (0.37, 1.30), (0.04, 2.5), (0.45, 2.5), (0.54, 1.9), (0.72, 1.74), (0.60, 1.62), (0.74, 1.22)],
        middle,
    ):
        _darken(colour, frame.fill(moved(part, 0.0, 0.025), 0.02), 0.4)
        cover = frame.fill(part)
        _lay(colour, cover, weave[..., None] * dark * np.float32(1.15))
        bare *= 1 - cover


def _plain_cloth(shot: Shot) -> Colour:
    dark, vivid, pale = shot.garment_colours
    if shot.garment == "shirt":
        return pale if shot.extra["tie"] < 0.4 else vivid
    return vivid if shot.garment == "crew neck" else dark


def dress(frame: Frame, shot: Shot, person: Person, middle: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Colour of the clothes (H, W, 3), and where they leave skin bare (H, W), 0..1."""
    weave = np.exp(
        np.float32(0.05) * cut("fine", frame.x.shape, rng) + np.float32(0.06) * cut("cloud", frame.x.shape, rng)
    )
    cloth = shot.garment_colours[0] if shot.garment == "suit" else _plain_cloth(shot)
    colour = np.asarray(weave[..., None] * cloth, np.float32)
    bare = np.zeros(frame.x.shape, np.float32)
    shift = np.array([middle, 0.0])
    if shot.garment == "suit":
        _suit(colour, bare, frame, shot, person, middle, weave)
    elif shot.garment == "shirt":
        bare += frame.fill(np.array([[-0.45, 0.8], [0.45, 0.8], [0.0, 1.62]]) + shift)
        _collar(colour, bare, frame, weave[..., None] * cloth, middle, 0.22)
    elif shot.garment == "v neck":
        bare += frame.fill(np.array([[-0.60, 0.8], [0.60, 0.8], [0.46, 1.3], [0.0, 1.80], [-0.46, 1.3]]) + shift)
        _darken(
            colour,
            frame.fill(np.array([[-0.64, 0.8], [0.64, 0.8], [0.49, 1.33], [0.0, 1.86], [-0.49, 1.33]]) + shift, 0.02),
            0.3,
        )
    else:
        angle = np.linspace(0, np.pi, 24)
        ring = np.column_stack([0.50 * np.cos(angle), 1.14 + 0.22 * np.sin(angle)])
        lid = np.array([[-0.5, 0.7], [0.5, 0.7]])
        bare += frame.fill(np.vstack([ring, lid]) + shift)
        _darken(colour, frame.fill(np.vstack([ring * [1.10, 1.0] + [0, 0.06], lid * [1.1, 1]]) + shift, 0.012), 0.3)
    return colour, np.clip(bare, 0, 1)
