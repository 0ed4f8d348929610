"""Neck and shoulders."""

from __future__ import annotations

import numpy as np

from blindface.rendered.chart import Array
from blindface.rendered.clothes import Frame, dress
from blindface.rendered.light import Scene, Surface
from blindface.rendered.noise import cut
from blindface.rendered.raycast import View
from blindface.rendered.sculpt import smoothstep
from blindface.rendered.traits import Person, Shot

# The outline of the shoulders: distance from the middle, and height below the eyes.
_OUT = np.array([0.0, 0.30, 0.45, 0.62, 0.85, 1.10, 1.30, 1.45, 1.55, 1.62], float)
_LEVEL = np.array([0.98, 1.00, 1.09, 1.19, 1.27, 1.34, 1.43, 1.58, 1.85, 2.60], float)


def _normalised(x: Array, y: Array, z: Array) -> Array:
    normal = np.stack([x, y, z], -1)
    return np.asarray(normal / np.sqrt((normal * normal).sum(-1, keepdims=True)), np.float32)


def _neck_depth(frame: Frame, person: Person, middle: float, hold: tuple[float, float]) -> tuple[Array, Array, Array]:
    """Place across the neck (-1..1 inside), its spread towards the shoulders, and the depth of its surface."""
    x, y = frame.x, frame.y
    axis = np.float32(middle) + np.float32(hold[0] - middle) * smoothstep(y, 1.25, 0.4)
    spread = smoothstep(y, 0.92, 1.60)
    half = np.float32(0.325 + 0.10 * person.masculinity) * (1 + np.float32(0.9) * spread)
    across = (x - axis) / half
    dome = np.sqrt(np.clip(1 - across * across, 0, 1))
    return across, spread, np.float32(0.4 * hold[1] - 0.06) + np.float32(0.34) * dome


def put_body(scene: Scene, view: View, person: Person, shot: Shot, rng: np.random.Generator) -> None:
    """Draw neck, shoulders and clothes behind what is already there."""
    size = scene.depth.shape[0]
    ground = int(np.clip(view.origin[1] + 0.3 * view.scale, 0, size - 4))
    frame = Frame.of(view, ground, size)
    hold = view.rotation @ np.array([0.0, 0.45, -0.20])
    middle = 0.35 * float(hold[0])
    across, spread, depth = _neck_depth(frame, person, middle, (float(hold[0]), float(hold[2])))
    rows, columns = slice(ground, size), slice(0, size)
    tendon = np.exp(
        -(((np.abs(across) - np.float32(0.45) + np.float32(0.25) * (frame.y - np.float32(0.9))) * np.float32(9)) ** 2)
    )
    tilt = across + np.float32(0.22) * tendon * np.sign(across)
    normal = _normalised(
        tilt,
        np.float32(-0.25) * spread - np.float32(0.05),
        np.sqrt(np.clip(1 - across * across, 0, 1)) + np.float32(0.12),
    )
    mottle = np.exp(
        np.float32(0.035) * cut("cloud", across.shape, rng) + np.float32(0.015) * cut("fine", across.shape, rng)
    )
    flesh = np.asarray(mottle[..., None] * (person.skin * np.array([0.95, 0.90, 0.88], np.float32)), np.float32)
    dull, full = np.full_like(across, 0.2), np.ones_like(across)
    neck = Surface(flesh, normal, np.asarray(depth + np.float32(0.01) * tendon, np.float32), dull, full)
    within = np.abs(across) < 1
    scene.put(rows, columns, neck, within)
    _put_shoulders(scene, frame, rows, person, shot, middle, np.where(within, neck.depth, np.float32(-9)), flesh, rng)


def _put_shoulders(
    scene: Scene,
    frame: Frame,
    rows: slice,
    person: Person,
    shot: Shot,
    middle: float,
    neck: Array,
    flesh: Array,
    rng: np.random.Generator,
) -> None:
    x, y = frame.x - np.float32(middle), frame.y
    out = np.abs(x) / np.float32(0.90 + 0.14 * person.masculinity)
    table = np.interp(np.linspace(0, 2.5, 512), _OUT, _LEVEL).astype(np.float32)
    level = table[np.clip(out * np.float32(511 / 2.5), 0, 511).astype(np.int32)]
    below = (y - level) * np.float32(1 / 0.45)
    dome = np.sqrt(np.clip(below * (2 - below), 0, 1)) * (below < 1) + (below >= 1)
    depth = (
        np.float32(-0.36)
        + np.float32(0.46) * dome
        - np.float32(0.20) * np.minimum(out, 1.7) ** 2
        + np.float32(0.10) * smoothstep(y, 1.2, 1.9)
    )
    colour, bare = dress(frame, shot, person, middle, rng)
    colour += bare[..., None] * (flesh - colour)
    fold = cut("cloud", x.shape, rng) * (1 - bare)
    normal = _normalised(
        np.float32(0.55) * x + np.float32(0.10) * fold,
        np.clip(below - 1, -1, 0) * np.float32(0.85) - np.float32(0.12) + np.float32(0.09) * np.roll(fold, 40, 1),
        np.float32(0.35) + np.float32(0.65) * dome,
    )
    # Cloth lies over the neck; bare skin belongs to whichever surface is nearer.
    depth = np.where(bare < 0.5, np.maximum(depth, neck + np.float32(0.03)), depth).astype(np.float32)
    surface = Surface(colour, normal, depth, np.full_like(x, 0.08), bare)
    scene.put(rows, slice(0, x.shape[1]), surface, below > 0)
