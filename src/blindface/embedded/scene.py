"""Neck, shoulders, clothes and background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.embedded.chart import Array, Points
from blindface.embedded.light import Scene
from blindface.embedded.noise import cut
from blindface.embedded.raycast import View
from blindface.embedded.sculpt import smoothstep
from blindface.embedded.traits import Colour, Person, Shot, srgb

TOP = 1.30  # height of the shoulders' line below the eyes, units


def _grid(view: View, size: int) -> tuple[Array, Array]:
    x = ((np.arange(size) - view.origin[0]) / view.scale).astype(np.float32)
    y = ((np.arange(size) - view.origin[1]) / view.scale).astype(np.float32)
    return np.meshgrid(x, y)  # type: ignore[return-value]


def put_neck(scene: Scene, view: View, person: Person, ground: int, rng: np.random.Generator) -> None:
    """The neck: an upright cylinder that widens towards the shoulders, from row `ground` down."""
    size = scene.depth.shape[0]
    x, y = (a[ground:] for a in _grid(view, size))
    hold = view.rotation @ np.array([0.0, 0.45, -0.22])
    foot = 0.35 * hold[0]
    axis = foot + (hold[0] - foot) * smoothstep(y, TOP, 0.4)
    widen = smoothstep(y, 0.95, 1.75)
    half = np.float32(0.375 + 0.10 * person.masculinity) * (1 + 0.75 * widen)
    across = (x - axis) / half
    inside = np.abs(across) < 1
    dome = np.sqrt(np.clip(1 - across**2, 0, 1))
    depth = np.float32(hold[2] * 0.4 - 0.02) + np.float32(0.36) * dome
    tendon = np.exp(-(((np.abs(across) - 0.42 + 0.22 * (y - 0.9)) / 0.10) ** 2))
    depth += np.float32(0.02) * tendon
    normal = np.stack([across, -0.35 * widen - 0.1 + 0 * x, dome + np.float32(0.15)], -1)
    normal[..., 0] += np.float32(0.25) * tendon * np.sign(across)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    mottle = np.exp(np.float32(0.035) * cut("cloud", x.shape, rng) + np.float32(0.02) * cut("fine", x.shape, rng))
    colour = mottle[..., None] * (person.skin * np.array([0.95, 0.90, 0.88], np.float32))
    rows = slice(ground, size)
    scene.put(rows, slice(0, size), inside & (depth > scene.depth[rows]), depth.astype(np.float32), colour, normal.astype(np.float32), 0.2, 1.0)


def _polygon(view: View, size: int, points: Points, blur: float = 0.0) -> Array:
    mask = np.zeros((size, size), np.uint8)
    place = np.asarray(points) * view.scale + view.origin
    cv2.fillPoly(mask, [np.round(place * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    cover = mask.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), blur)) if blur else cover


def _mirror(points: list[tuple[float, float]], middle: float) -> list[NDArray[np.float64]]:
    right = np.array(points)
    return [right * [-1, 1] + [middle, 0], right + [middle, 0]]


def _dress(view: View, size: int, shot: Shot, person: Person, middle: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Colour of the clothes (H, W, 3) and where they leave skin bare (H, W)."""
    dark, vivid, pale = shot.garment_colours
    weave = np.exp(np.float32(0.06) * cut("fine", (size, size), rng) + np.float32(0.07) * cut("cloud", (size, size), rng))
    plain = {"suit": dark, "shirt": pale if shot.extra["tie"] < 0.5 else vivid, "crew neck": vivid, "v neck": dark}[shot.garment]
    colour = weave[..., None] * plain
    bare = np.zeros((size, size), np.float32)
    if shot.garment == "suit":
        _suit(colour, view, size, shot, person, middle, weave, bare)
    elif shot.garment == "shirt":
        bare += _polygon(view, size, np.array([[-0.30, 1.0], [0.30, 1.0], [0.0, 1.62]]) + [middle, 0])
        _collar(colour, view, size, plain, middle, weave, spread=0.10)
    elif shot.garment == "v neck":
        bare += _polygon(view, size, np.array([[-0.52, 1.0], [0.52, 1.0], [0.42, 1.4], [0.0, 1.85], [-0.42, 1.4]]) + [middle, 0])
    else:
        angle = np.linspace(0, np.pi, 24)
        ring = np.column_stack([0.50 * np.cos(angle), 1.28 + 0.26 * np.sin(angle)]) + [middle, 0]
        bare += _polygon(view, size, np.vstack([ring, [[middle - 0.5, 0.9], [middle + 0.5, 0.9]]]))
        outer = np.column_stack([0.56 * np.cos(angle), 1.28 + 0.33 * np.sin(angle)]) + [middle, 0]
        seam = _polygon(view, size, outer, 1.0) - _polygon(view, size, ring, 1.0)
        colour *= (1 - np.float32(0.25) * np.clip(seam, 0, 1))[..., None]
    return colour, np.clip(bare, 0, 1)


def _collar(colour: Array, view: View, size: int, cloth: Colour, middle: float, weave: Array, spread: float) -> None:
    wing = [(0.50, 1.02), (0.40, 1.12), (0.04, 1.50), (0.20 + spread, 1.72), (0.62, 1.30)]
    for part in _mirror(wing, middle):
        shadow = _polygon(view, size, part + [0, 0.035], 3.0)
        colour *= (1 - np.float32(0.35) * shadow)[..., None]
        cover = _polygon(view, size, part)
        colour += cover[..., None] * (weave[..., None] * cloth * np.float32(1.05) - colour)


def _suit(colour: Array, view: View, size: int, shot: Shot, person: Person, middle: float, weave: Array, bare: Array) -> None:
    dark, vivid, pale = shot.garment_colours
    opening = _polygon(view, size, np.array([[-0.55, 1.0], [0.55, 1.0], [0.50, 1.3], [0.04, 2.6], [-0.04, 2.6], [-0.50, 1.3]]) + [middle, 0])
    colour += opening[..., None] * (weave[..., None] * pale - colour)
    _collar(colour, view, size, pale, middle, weave, spread=0.0)
    if person.masculinity > 0.5 and shot.extra["tie"] < 0.8:
        knot = np.array([[-0.10, 1.40], [0.10, 1.40], [0.07, 1.60], [0.17, 2.6], [-0.17, 2.6], [-0.07, 1.60]]) + [middle, 0]
        cover, shadow = _polygon(view, size, knot), _polygon(view, size, knot + [0.02, 0.02], 2.5)
        colour *= (1 - np.float32(0.4) * shadow)[..., None]
        x, y = _grid(view, size)
        stripe = 1 + np.float32(0.35) * np.sign(np.sin((x + y) * np.float32(34))) * (shot.extra["collar"] > 0.5)
        colour += cover[..., None] * ((weave * stripe)[..., None] * vivid * np.float32(0.8) - colour)
    else:
        bare += _polygon(view, size, np.array([[-0.30, 1.0], [0.30, 1.0], [0.0, 1.66]]) + [middle, 0])
    lapel = [(0.56, 1.10), (0.40, 1.42), (0.05, 2.6), (0.50, 2.6), (0.58, 2.0), (0.78, 1.86), (0.66, 1.72), (0.80, 1.40)]
    for part in _mirror(lapel, middle):
        colour *= (1 - np.float32(0.35) * _polygon(view, size, part + [0.0, 0.03], 3.0))[..., None]
        cover = _polygon(view, size, part)
        colour += cover[..., None] * (weave[..., None] * dark * np.float32(1.2) - colour)


def put_torso(scene: Scene, view: View, person: Person, shot: Shot, ground: int, rng: np.random.Generator) -> None:
    """Shoulders and clothes, from row `ground` down."""
    size = scene.depth.shape[0]
    x, y = (a[ground:] for a in _grid(view, size))
    hold = view.rotation @ np.array([0.0, 0.45, -0.22])
    middle = 0.35 * float(hold[0])
    wide, tall = np.float32(1.36 + 0.22 * person.masculinity), np.float32(1.15)
    slope = np.float32(0.16) * np.abs(x - middle)
    a, b = np.abs(x - middle) / wide, np.clip(TOP + tall + slope - y, 0, None) / tall
    rest = 1 - a**2.6 - b**2.6
    inside = rest > 0
    dome = np.clip(rest, 0, 1) ** (1 / 2.6)
    depth = np.float32(-0.32) + np.float32(0.58) * dome
    normal = np.stack([np.sign(x - middle) * a**1.6 * 0.8, -(b**1.6) * 0.9, np.maximum(dome, 0.05) ** 1.6 + np.float32(0.1)], -1)
    colour, bare = _dress(view, size, shot, person, middle, rng)
    colour, bare = colour[ground:], bare[ground:]
    skin = person.skin * np.float32(0.92)
    colour = colour + bare[..., None] * (skin - colour)
    crease = cut("cloud", x.shape, rng) * (1 - bare)
    normal[..., 0] += np.float32(0.10) * crease
    normal[..., 1] += np.float32(0.08) * np.roll(crease, 40, 1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    # Bare skin at the neckline belongs to the neck's surface where both meet.
    depth = depth + np.where(bare > 0.5, np.float32(-0.03), np.float32(0.26) * smoothstep(y, 1.15, 1.35) * (np.abs(x - middle) < 0.62))
    rows = slice(ground, size)
    nearer = inside & (depth > scene.depth[rows])
    scene.put(rows, slice(0, size), nearer, depth.astype(np.float32), colour, normal.astype(np.float32), np.float32(0.1) + 0 * x, bare)


def background(size: int, shot: Shot, rng: np.random.Generator) -> Array:
    """A background out of focus, linear (size, size, 3)."""
    low = 64
    y, x = np.mgrid[0:low, 0:low].astype(np.float32) / low
    ends = [srgb(*np.clip(rng.uniform(15, 200) * np.exp(rng.normal(0, 0.28, 3)), 4, 250)) for _ in range(4)]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)[..., None]
    picture = np.ascontiguousarray(ends[0] * (1 - ramp) + 0.5 * (ends[0] + ends[1]) * ramp, np.float32)
    blur = rng.uniform(0.5, 3.0)
    if shot.background == "shapes":
        for _ in range(int(rng.integers(3, 9))):
            corner, extent = rng.uniform(-10, low, 2), rng.uniform(6, 34, 2)
            tone = (ends[int(rng.integers(4))] * rng.uniform(0.5, 1.3)).tolist()
            if rng.random() < 0.6:
                cv2.rectangle(picture, corner.astype(int).tolist(), (corner + extent).astype(int).tolist(), tone, -1)
            else:
                cv2.ellipse(picture, corner.astype(int).tolist(), (extent / 2).astype(int).tolist(), float(rng.uniform(0, 180)), 0, 360, tone, -1)
    elif shot.background == "panels":
        place = np.cumsum(rng.uniform(3, 14, 30))
        tone = ends[1] * rng.uniform(0.6, 1.2, (30, 1)).astype(np.float32)
        index = np.searchsorted(place, (x if rng.random() < 0.7 else y) * low)
        picture = 0.35 * picture + 0.65 * tone[np.clip(index, 0, 29)]
        blur *= 0.5
    elif shot.background == "bokeh":
        picture *= np.float32(0.35)
        for _ in range(int(rng.integers(6, 16))):
            spot = np.zeros((low, low), np.float32)
            cv2.circle(spot, rng.integers(0, low, 2).tolist(), int(rng.integers(2, 6)), 1.0, -1, cv2.LINE_AA)
            picture += spot[..., None] * srgb(*rng.uniform(60, 220, 3)) * np.float32(rng.uniform(0.3, 1))
        blur = 0.8
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), blur)
    large = cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
    strength = 0.16 if shot.background == "texture" else 0.03
    pattern = np.float32(strength) * cut("cloud", (size, size), rng) + np.float32(strength * 0.35) * cut("patch", (size, size), rng)
    return np.asarray(np.maximum(large, 0) * np.exp(pattern)[..., None] * np.float32(rng.uniform(0.5, 1.0)), np.float32)
