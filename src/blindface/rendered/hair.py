"""Hair as a second shell over the skull: where it grows, how thick it lies, how its strands run."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.rendered.canvas import Canvas
from blindface.rendered.chart import Array, chart, superellipsoid
from blindface.rendered.noise import cut, look_up
from blindface.rendered.raycast import Hit, View
from blindface.rendered.sculpt import head_axes, smoothstep
from blindface.rendered.traits import Person

# The hairline: elevation in degrees (positive down) at an azimuth from the front; it spares the ears.
_AZIMUTH = np.array([0, 25, 42, 54, 63, 71, 80, 86, 90, 107, 114, 124, 180], float)
_LINE = np.array([-39, -39, -35, -26, -12, 2, 8, 2, -19, -21, -14, 8, 22], float)
_RECEDED = np.array([6, 9, 17, 16, 6, 0, 0, 0, 0, 0, 0, 0, 0], float)


@dataclass(frozen=True)
class Style:
    """One way to wear hair. Lengths are canonical."""

    top: float  # thickness on the crown
    side: float  # thickness at the temples
    flow: str  # how strands run: crown, back, part, curls
    fringe: float = 0.0  # degrees by which hair hangs over the forehead
    end: float = 0.0  # how far down a curtain of hair hangs beside the face; 0: none
    opening: float = 70.0  # azimuth at which the curtain begins, degrees
    cover: float = 1.0  # how much of the skin it hides


STYLES = {
    "bald": Style(0.0, 0.025, "crown", cover=0.75),
    "buzz": Style(0.018, 0.012, "curls", cover=0.75),
    "short": Style(0.085, 0.030, "crown", fringe=2),
    "side part": Style(0.105, 0.045, "part", fringe=3),
    "swept back": Style(0.100, 0.045, "back"),
    "fringe": Style(0.100, 0.060, "crown", fringe=20),
    "curls": Style(0.190, 0.130, "curls", fringe=5),
    "bob": Style(0.090, 0.095, "part", fringe=4, end=0.80, opening=69),
    "long": Style(0.090, 0.095, "part", fringe=2, end=1.75, opening=72),
}


def _lookup(angle: Array, values: NDArray[np.float64]) -> Array:
    """Values given at _AZIMUTH, at every texel."""
    table = np.interp(np.linspace(0, 180, 721), _AZIMUTH, values).astype(np.float32)
    return np.asarray(table[np.clip(angle * np.float32(4), 0, 720).astype(np.int32)])


def _strands(person: Person, style: Style, rng: np.random.Generator) -> tuple[Array, Array]:
    """Fine strands and broader locks, standardised, along the style's flow."""
    base, shift = chart(), rng.uniform(0, 1000, 4).astype(np.float32)
    d = base.direction
    if style.flow == "curls":
        bend = np.float32(14) * cut("patch", base.x.shape, rng)
        x, y = (base.x * 330 + bend + shift[0]), (base.y * 330 - bend + shift[1])
        return look_up("fine", x, y), look_up("patch", x * np.float32(0.55), y * np.float32(0.55))
    wave = np.float32(0.035) * np.sin(base.elevation * np.float32(7) + shift[2]) + np.float32(0.02) * cut(
        "cloud", base.x.shape, rng
    )
    if style.flow == "crown":
        across = np.arctan2(d[..., 0] + np.float32(0.05 * person.part), d[..., 2] + np.float32(0.45)) + wave
        along = base.elevation
    elif style.flow == "back":
        across, along = d[..., 0] + wave, np.arctan2(d[..., 2], -d[..., 1])
    else:
        across = np.arctan2(d[..., 2] + np.float32(0.3), np.float32(0.75)) + wave
        along = np.arctan2(d[..., 0] - np.float32(0.28 * person.part), np.maximum(-d[..., 1], -0.2) + np.float32(0.9))
        across = across * np.float32(1.2)
    x, y = across * np.float32(430) + shift[0], along * np.float32(150) + shift[1]
    return look_up("strand", x, y), look_up("lock", x, y)


def _extent(person: Person, style: Style, lock: Array) -> Array:
    """How far inside the hair's smooth border each texel lies, degrees; negative outside."""
    base = chart()
    azimuth, elevation = np.abs(np.degrees(base.azimuth)), np.degrees(base.elevation)
    line = _LINE - person.hairline * _RECEDED * (0.35 + 0.9 * person.masculinity)
    over = np.interp(_AZIMUTH, [0, 30, 50, 62], [1, 1, 0.75, 0])
    line = line + style.fringe * over
    border = _lookup(azimuth, line)
    sweep = smoothstep(elevation, -50, -20) * (azimuth < 60)
    border = border + np.float32(5 * person.part) * np.sin(base.azimuth) * sweep * (style.flow in ("part", "crown"))
    if person.hair_style == "bald" and person.age > 0.4:
        top = smoothstep(azimuth, 62, 72)
        border = np.where(top > 0.01, border, np.float32(-99))
        border = np.minimum(border, np.where(elevation > -26 - 6 * lock, np.float32(99), np.float32(-99)))
    return np.asarray(border - elevation, np.float32)


def _curtain(person: Person, style: Style, strand: Array, lock: Array) -> tuple[Array, Array]:
    """Radius of the hair that hangs beside the face, and where it is."""
    base = chart()
    width = np.float32(head_axes(person)[0] + 0.085) + np.float32(0.022) * lock + np.float32(0.006) * strand
    down = np.tan(np.clip(base.elevation, 0, 1.2)) * width
    width = (
        width
        + np.float32(0.05) * np.sin(np.clip(down, 0, 2) * np.float32(2.6))
        - np.float32(0.10) * smoothstep(down, 0.5, 1.6)
    )
    azimuth = np.abs(np.degrees(base.azimuth)) + 0.5 * lock - 6 * smoothstep(down, 0.1, 0.8)
    there = smoothstep(azimuth, style.opening - 1, style.opening + 1) * (base.elevation > -0.12)
    there *= smoothstep(down + 0.03 * lock + 0.02 * strand, style.end + 0.02, style.end - 0.02)
    return np.asarray(width / np.cos(np.clip(base.elevation, 0, 1.25)), np.float32), np.asarray(there, np.float32)


def _dye(person: Person, style: Style, strand: Array, lock: Array) -> Array:
    deviation = 0.24 if style.flow != "curls" else 0.40
    tone = np.exp(np.float32(deviation) * np.clip(strand, -2, 2) + np.float32(0.13) * lock)
    colour = tone[..., None] * person.hair
    if person.hair_name in ("brown", "dark brown", "black") and person.age > 0.45:
        grey = np.clip((person.age - 0.45) * 1.1 + 0.2 * strand, 0, 0.7)
        colour += (grey * np.float32(0.6))[..., None] * (np.float32(0.22) * tone[..., None] - colour)
    return np.asarray(colour, np.float32)


def grow_hair(canvas: Canvas, person: Person, rng: np.random.Generator) -> Array:
    """Lay the person's hair over the canvas (colour, gloss, radius); returns its cover (T, T), 0..1."""
    style, base = STYLES[person.hair_style], chart()
    strand, lock = _strands(person, style, rng)
    inside = _extent(person, style, lock)
    ragged = np.float32(0.9) * strand + np.float32(1.2 + 0.10 * style.fringe) * lock
    cover = smoothstep(inside + ragged, -0.8, 1.8) * np.float32(style.cover)
    thick = style.side + (style.top - style.side) * smoothstep(base.elevation, -0.15, -1.0)
    skull = superellipsoid(base.direction, head_axes(person)).astype(np.float32)
    lift = (
        thick * smoothstep(inside, 0.0, 11.0) * (1 + 0.14 * np.clip(lock, -2, 2)) + np.float32(0.022) * thick * strand
    )
    shell = np.where(inside > -2.0, skull + lift, 0)
    if style.end:
        radius, there = _curtain(person, style, strand, lock)
        shell = np.where(there > 0.5, np.maximum(radius, shell), shell)
        cover = np.maximum(cover, there)
    colour = _dye(person, style, strand, lock)
    near = cv2.resize(
        cv2.GaussianBlur(cv2.resize(cover, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), (0, 0), 2.6),
        cover.shape[::-1],
    )
    canvas.colour *= (1 - np.float32(0.30) * near * (1 - cover) * style.cover)[..., None]
    canvas.colour += cover[..., None] * (colour - canvas.colour)
    canvas.gloss += cover * (np.float32(0.5) - canvas.gloss)
    canvas.radius[:] = np.maximum(canvas.radius, shell)
    return cover


def comb_curtain(colour: Array, normal: Array, hair: Array, hit: Hit, view: View, person: Person) -> None:
    """Let the strands of hanging hair run down in space: the chart would draw them towards the head's centre."""
    x = ((np.arange(hit.columns.start, hit.columns.stop) - view.origin[0]) / view.scale).astype(np.float32)
    y = ((np.arange(hit.rows.start, hit.rows.stop) - view.origin[1]) / view.scale).astype(np.float32)
    grid = np.stack([*np.meshgrid(x, y), hit.depth], -1)
    point = grid @ view.rotation.astype(np.float32)
    weight = (
        smoothstep(hair, 0.25, 0.6)
        * smoothstep(point[..., 1], -0.10, 0.25)
        * smoothstep(np.abs(point[..., 0]), 0.30, 0.5)
    )
    wave = np.float32(0.03) * np.sin(point[..., 1] * np.float32(5) + np.float32(person.texture % 7))
    across = (np.abs(point[..., 0]) * np.float32(0.9) - point[..., 2] * np.float32(0.6) + wave) * np.float32(430)
    down = point[..., 1] * np.float32(120) + np.float32(person.texture % 900)
    strand, lock = look_up("strand", across, down), look_up("lock", across, down)
    tone = np.exp(np.float32(0.24) * strand + np.float32(0.16) * lock)
    colour += weight[..., None] * (tone[..., None] * person.hair - colour)
    side = np.sign(point[..., 0]) * np.float32(0.65) + np.float32(0.16) * strand + np.float32(0.22) * lock
    local = np.stack([side, np.full_like(side, -0.12), np.full_like(side, 0.75)], -1) @ view.rotation.T.astype(
        np.float32
    )
    local /= np.sqrt((local * local).sum(-1, keepdims=True))
    normal += weight[..., None] * (local - normal)
