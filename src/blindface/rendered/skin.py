"""Skin: its colour over the head, blemishes, folds of age and smile, stubble and beard."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from blindface.rendered.canvas import Canvas, disc, fill, ribbon, smooth, strokes
from blindface.rendered.chart import TEXELS, Array, Points, chart, moved
from blindface.rendered.noise import cut, look_up
from blindface.rendered.sculpt import jaw_edge, smoothstep
from blindface.rendered.traits import Person


def base_canvas(person: Person, radius: Array, ear: Array, rng: np.random.Generator) -> Canvas:
    """Plain skin over the whole head with its clouds of red and brown, and pores as relief."""
    base = chart()
    shape = (TEXELS, TEXELS)
    cloud, patch, fine = cut("cloud", shape, rng), cut("patch", shape, rng), cut("fine", shape, rng)
    colour = np.empty((*shape, 3), np.float32)
    shade = np.float32(0.030) * cloud + np.float32(0.022) * patch + np.float32(0.022) * fine
    red = np.float32(0.035) * np.roll(cloud, 97, 0)
    tone = np.exp(shade) * (1 - ear * np.float32(0.10))
    red = red + np.float32(0.05) * ear
    colour[..., 0] = tone * (1 + np.float32(0.4) * red) * person.skin[0]
    tone *= 1 + np.float32(0.25) * shade - red
    colour[..., 1], colour[..., 2] = tone * person.skin[1], tone * person.skin[2]
    relief = np.float32(0.0003 + 0.0003 * person.age) * fine + np.float32(0.0007) * patch
    gloss = np.full(shape, 0.30, np.float32) + np.float32(0.25) * np.exp(-(base.x**2) * 14) * (base.y < 0.4)
    return Canvas(colour, gloss, radius + relief)


def paint_flush(canvas: Canvas, person: Person, smile: float) -> None:
    """Redness of the cheeks, lighter forehead and chin."""
    red = np.array([1.03, 0.86, 0.84])
    for side in (-1, 1):
        canvas.tint(
            disc([side * 0.36, 0.24], (0.17, 0.13), 16), red, 0.55 + 0.3 * max(smile, 0) + 0.3 * person.lip_colour
        )
    canvas.tint(disc([0, -0.42], (0.34, 0.16), 20), [1.05, 1.04, 1.02], 0.6)
    canvas.tint(disc([0, 0.86], (0.12, 0.07), 9), red, 0.35)


def paint_blemishes(canvas: Canvas, person: Person, rng: np.random.Generator) -> None:
    """Freckles and moles."""
    if person.freckles > 0.05:
        count = int(130 * person.freckles)
        place = rng.normal([0, 0.12], [0.30, 0.12], (count, 2))
        spots = strokes(place, place + rng.normal(0, 0.006, (count, 2)), 0.6, 255)
        canvas.tint(spots, [0.72, 0.56, 0.46], 0.8)
    for mole in person.moles:
        canvas.blend(disc(mole, rng.uniform(0.008, 0.014), 0.7), person.skin * np.array([0.30, 0.2, 0.18]), 0.8)


def _fold(canvas: Canvas, line: Points, width: float, strength: float, depth: float) -> None:
    if strength < 0.04:
        return
    taper = np.sin(np.linspace(0.1, np.pi - 0.1, len(line)))
    groove = ribbon(line, width * 1.1 * taper + 0.002, 1.4)
    canvas.tint(groove, [0.68, 0.55, 0.53], strength)
    canvas.raise_by(groove, -depth)
    ridge = moved(line, float(np.sign(line[0, 0] + 1e-9)) * width, -width * 0.5)
    canvas.raise_by(ribbon(ridge, width * 1.4 * taper + 0.002, 2.2), depth * 0.8)


def paint_folds(canvas: Canvas, face: Points, person: Person, expression: Mapping[str, float]) -> None:
    """Folds from nose to mouth, lines of forehead and eyes, a frown."""
    smile, age = max(expression["smile"], 0.0), person.age
    for side in (-1, 1):
        wing, corner = face[33 + 2 * side], face[51 + 3 * side]
        line = smooth(np.array([
            moved(wing, side * 0.03, -0.05), moved(wing, side * (0.085 + 0.03 * smile), 0.05),
            moved(corner, side * (0.075 + 0.02 * smile), -0.06), moved(corner, side * 0.07, 0.03 + 0.04 * age),
        ]))  # fmt: skip
        _fold(canvas, line, 0.020, 0.12 + 0.38 * smile + 0.38 * age, 0.004 + 0.006 * age + 0.006 * smile)
        outer = face[36] if side < 0 else face[45]
        for tilt in (-0.05, 0.0, 0.045):
            ray = smooth(
                np.array(
                    [
                        moved(outer, side * 0.03, tilt * 0.5),
                        moved(outer, side * 0.075, tilt),
                        moved(outer, side * 0.12, tilt * 2),
                    ]
                )
            )
            _fold(canvas, ray, 0.009, 0.75 * max(0.0, age - 0.3) + 0.25 * smile * age, 0.002)
        if expression["frown"] > 0.3:
            line = np.array([[side * 0.04, -0.20], [side * 0.034, -0.15], [side * 0.045, -0.10]])
            _fold(canvas, smooth(line), 0.013, 0.5 * expression["frown"], 0.004)
    lines = max(0.0, age - 0.35) + 0.5 * max(0.0, expression["raise"] - 0.2)
    for level in (-0.50, -0.42, -0.34):
        x = np.linspace(-0.30, 0.30, 9)
        wave = level + 0.018 * np.cos(9 * x + 20 * level) + 0.10 * x**2
        _fold(canvas, smooth(np.column_stack([x, wave])), 0.012, 0.7 * lines, 0.003)


def beard_mask(person: Person, face: Points) -> Array:
    """Where facial hair grows, 0..1 per texel."""
    base = chart()
    x, y = np.abs(base.x), base.y
    table = np.interp(
        np.linspace(0, 1.2, 256),
        [0, 0.2, 0.30, 0.42, 0.52, 0.60, 0.64, 1.2],
        [0.42, 0.46, 0.50, 0.50, 0.38, 0.10, -0.05, -0.05],
    )
    border = table.astype(np.float32)[np.clip(x * np.float32(255 / 1.2), 0, 255).astype(np.int32)]
    full = smoothstep(y - border, -0.01, 0.10) * smoothstep(jaw_edge(face), 0.55, 0.25) * (base.front < 1.5)
    if person.beard in ("moustache", "goatee"):
        centre = smoothstep(x, 0.30, 0.22)
        low = smoothstep(y, face[48, 1] + 0.05, face[48, 1]) if person.beard == "moustache" else np.float32(1)
        full = full * centre * low
    mouth = fill(np.vstack([smooth(face[48:55]), smooth(face[[54, 55, 56, 57, 58, 59, 48]])[1:-1]]), 1.0)
    full[mouth[0], mouth[1]] *= 1 - mouth[2]
    return np.asarray(full, np.float32)


def paint_beard(canvas: Canvas, face: Points, person: Person, rng: np.random.Generator) -> None:
    """Shadow of shaven hair, stubble, or a beard with strands and relief."""
    if person.masculinity < 0.5:
        return
    mask = beard_mask(person, face)
    base = chart()
    offset = rng.uniform(0, 1000, 2)
    strand = look_up(
        "strand",
        (base.x * 420 + base.y * 60 + offset[0]).astype(np.float32),
        (base.y * 260 + offset[1]).astype(np.float32),
    )
    if person.beard in ("none", "stubble"):
        strength = 0.10 if person.beard == "none" else 0.34
        dots = np.clip(0.8 + 0.22 * cut("fine", mask.shape, rng), 0, 1.3)
        cover = (mask * np.float32(strength) * dots)[..., None]
        canvas.colour += cover * (person.hair * np.float32(0.9) + np.float32(0.015) - canvas.colour)
        return
    ragged = np.clip(mask * (1.6 + 0.18 * strand) - 0.35, 0, 1) * np.float32(0.92)
    colour = np.minimum(person.hair, np.float32(0.5)) * np.exp(np.float32(0.32) * strand)[..., None]
    canvas.colour += ragged[..., None] * (colour - canvas.colour)
    canvas.radius += ragged * (np.float32(0.035) + np.float32(0.008) * strand)
    canvas.gloss *= 1 - 0.6 * ragged
