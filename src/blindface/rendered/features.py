"""Eyes, brows, nose and mouth, painted on the canvas through the landmarks themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from blindface.rendered.anatomy import LEFT_EYE, RIGHT_EYE
from blindface.rendered.canvas import Canvas, Mask, arch, disc, fill, ribbon, smooth, strokes, within
from blindface.rendered.chart import Points, moved
from blindface.rendered.traits import Colour, Person, Shot, srgb

IRIS = 0.054  # radius, canonical: the human iris is 11.7 mm wide


def eyelids(face: Points, part: slice) -> tuple[Points, Points]:
    """Upper and lower edge of an eye opening, from the picture's left to right, through its six landmarks."""
    p = face[part]
    return arch(p[0], p[1:3], p[3]), arch(p[0], p[[5, 4]], p[3])


def _iris(canvas: Canvas, opening: Mask, centre: Points, person: Person, rng: np.random.Generator) -> None:
    canvas.blend(within(disc(centre, IRIS, 0.5), opening), person.iris * 0.35)
    canvas.blend(within(disc(centre, IRIS * 0.84, 0.8), opening), person.iris * 0.7)
    angle = rng.uniform(0, 2 * np.pi, 26)
    ray = np.column_stack([np.cos(angle), np.sin(angle)])
    spokes = strokes(centre + ray * IRIS * 0.35, centre + ray * IRIS * 0.85, 0.0, 120)
    canvas.blend(within(spokes, opening), person.iris * 1.2)
    canvas.blend(
        within(disc(moved(centre, 0.0, 0.016), (IRIS * 0.6, IRIS * 0.4), 1.5), opening), person.iris * 1.4, 0.45
    )
    canvas.blend(within(disc(centre, IRIS * 0.40, 0.4), opening), srgb(8, 6, 6))


def _eyeball(canvas: Canvas, face: Points, part: slice, person: Person, shot: Shot, rng: np.random.Generator) -> None:
    upper, lower = eyelids(face, part)
    opening = fill(np.vstack([upper, lower[::-1]]), 0.35)
    outer, inner = (face[part][0], face[part][3]) if part == LEFT_EYE else (face[part][3], face[part][0])
    canvas.blend(opening, srgb(196, 186, 181) * (1 - 0.22 * person.darkness))
    canvas.tint(within(disc(outer, 0.05, 3), opening), srgb(200, 170, 160) / srgb(215, 205, 200), 0.8)
    canvas.blend(within(disc(inner + (outer - inner) * 0.05, (0.022, 0.018), 1.0), opening), srgb(190, 120, 112))
    middle = (outer + inner) / 2 + [0.0, -0.006]
    centre = middle + np.array([0.042 * shot.gaze[0], 0.016 * shot.gaze[1]])
    _iris(canvas, opening, centre, person, rng)
    canvas.tint(within(ribbon(moved(upper, 0, 0.006), 0.034, 1.6), opening), 0.35, 0.9)
    canvas.tint(within(ribbon(lower, 0.010, 1.0), opening), 0.7, 0.6)
    canvas.polish(opening, 0.10)
    side = -0.38 if shot.light[0] < 0 else 0.38
    glint = moved(centre, side * IRIS, -0.36 * IRIS)
    canvas.blend(within(disc(glint, (0.009, 0.009), 0.5), opening), srgb(250, 250, 250), 0.7)


def _lids(canvas: Canvas, face: Points, part: slice, person: Person, shot: Shot, rng: np.random.Generator) -> None:
    upper, lower = eyelids(face, part)
    middle = face[part].mean(0)
    squint = max(shot.expression["squint"], 0)
    fold = middle + (upper - middle) * [1.06, 1.0] - [0, 0.040 - 0.014 * squint + 0.005 * person.shape["eye_height"]]
    taper = np.sin(np.linspace(0.12, np.pi - 0.12, len(upper)))
    canvas.tint(fill(np.vstack([fold, upper[::-1]]), 1.5), [0.90, 0.84, 0.84], 0.7)
    canvas.tint(ribbon(fold, 0.013 * taper + 0.002, 0.8), [0.50, 0.40, 0.38], 0.85)
    canvas.raise_by(ribbon(fold, 0.02, 1.5), -0.006)
    canvas.raise_by(ribbon(moved(upper, 0, -0.016), 0.02, 1.2), 0.006)
    bag = middle + (lower - middle) * [1.0, 1.4] + [0, 0.055]
    canvas.tint(ribbon(bag, 0.016, 2.0), [0.80, 0.72, 0.74], 0.25 + 0.55 * person.age)
    canvas.tint(ribbon(moved(lower, 0, 0.008), 0.012, 0.9), [1.12, 1.0, 0.98], 0.8)
    made_up = 0.4 + 0.6 * (person.lip_colour > 0)
    dark = np.minimum(person.brow * 0.5, srgb(40, 28, 24)) if person.age < 0.85 else srgb(72, 58, 52)
    canvas.blend(ribbon(moved(upper, 0, -0.002), 0.008 + 0.012 * taper * made_up, 0.5), dark, 0.93)
    canvas.blend(ribbon(moved(lower, 0, 0.002), 0.007, 0.7), dark, 0.30 + 0.35 * (made_up - 0.4))
    _lashes(canvas, upper, lower, -1 if part == LEFT_EYE else 1, made_up, rng)


def _lashes(canvas: Canvas, upper: Points, lower: Points, side: int, made_up: float, rng: np.random.Generator) -> None:
    dark = srgb(20, 14, 12)
    place = upper[np.round(np.linspace(1, len(upper) - 1, 18)).astype(int)]
    outward = (place[:, 0] - upper[:, 0].mean()) / 0.1
    length = 0.020 + 0.016 * made_up + 0.006 * rng.standard_normal(len(place))
    tips = place + np.column_stack([0.55 * outward * length + side * 0.004, -length * 0.8])
    canvas.blend(strokes(place, tips, 0.35, 220), dark, 0.8)
    place = lower[2:-1:2]
    tips = place + np.column_stack([side * 0.006 + 0 * place[:, 0], 0.014 + 0 * place[:, 0]])
    canvas.blend(strokes(place, tips, 0.4, 150), dark, 0.3 * made_up)


def paint_eyes(canvas: Canvas, face: Points, person: Person, shot: Shot, rng: np.random.Generator) -> None:
    """Eyeballs between the lids' landmarks, lid folds, lashes, shade of the socket."""
    for part in (LEFT_EYE, RIGHT_EYE):
        middle = face[part].mean(0)
        canvas.tint(disc(middle, (0.16, 0.095), 9), [0.86, 0.78, 0.78], 0.55)
        inner = face[part][3] if part == LEFT_EYE else face[part][0]
        canvas.tint(disc(inner + (inner - middle) * [0.25, 0] + [0, 0.01], (0.03, 0.05), 4), [0.75, 0.66, 0.66], 0.5)
        upper, lower = eyelids(face, part)
        canvas.raise_by(fill(np.vstack([upper, lower[::-1]]), 0.8), -0.012)
        _eyeball(canvas, face, part, person, shot, rng)
        _lids(canvas, face, part, person, shot, rng)


def paint_brows(canvas: Canvas, face: Points, person: Person, rng: np.random.Generator) -> None:
    """Brows of single hairs along their five landmarks."""
    weight = person.brow_weight
    for side, brow in ((-1, face[17:22]), (1, face[22:27])):
        line = smooth(brow if side == 1 else brow[::-1], 8)  # from the nose outwards
        along = np.linspace(0, 1, len(line))
        width = (0.030 + 0.042 * weight) * np.interp(along, [0, 0.15, 0.6, 1], [0.75, 1, 0.85, 0.3])
        canvas.blend(ribbon(moved(line, 0, 0.010), width, 1.6), person.brow, 0.25 + 0.45 * weight)
        canvas.raise_by(ribbon(moved(line, 0, 0.010), width, 1.5), 0.008)
        count = int(70 + 70 * weight)
        place = rng.uniform(0, 1, count) * (len(line) - 1)
        share = place / (len(line) - 1)
        start = np.column_stack([np.interp(place, np.arange(len(line)), line[:, c]) for c in (0, 1)])
        start[:, 1] += 0.010 + rng.uniform(-0.5, 0.5, count) * np.interp(place, np.arange(len(line)), width)
        angle = np.interp(share, [0, 0.25, 0.6, 1], [1.25, 0.75, 0.25, -0.25]) + 0.18 * rng.standard_normal(count)
        length = rng.uniform(0.025, 0.055, count)
        end = start + np.column_stack([side * np.cos(angle) * length, -np.sin(angle) * length * 0.8])
        canvas.blend(strokes(start, end, 0.3, 230), person.brow * 0.55, 0.45 + 0.4 * weight)


def paint_nose(canvas: Canvas, face: Points, person: Person) -> None:
    """Nostrils and the folds of the wings, on the base landmarks."""
    red = np.array([1.06, 0.90, 0.88])
    canvas.tint(disc(moved(face[30], 0, 0.03), (0.09, 0.07), 8), red, 0.7)
    for side in (-1, 1):
        wing, base = face[33 + 2 * side], face[33 + side]
        nostril = disc(moved(base, 0, -0.010), (0.036 * (1 + 0.1 * person.shape["nose_width"]), 0.013), 1.2)
        canvas.tint(nostril, [0.22, 0.13, 0.12], 0.9)
        canvas.raise_by(nostril, -0.02)
        crease = smooth(np.array([
            moved(wing, 0.0, -0.105), moved(wing, side * 0.022, -0.060),
            moved(wing, side * 0.018, -0.012), moved(wing, -side * 0.012, 0.010),
        ]))  # fmt: skip
        canvas.tint(ribbon(crease, 0.014, 1.3), [0.66, 0.54, 0.52], 0.65)
    canvas.tint(ribbon(moved(smooth(face[31:36]), 0, 0.008), 0.014, 1.6), [0.62, 0.52, 0.52], 0.55)


def lip_contours(face: Points) -> tuple[Points, Points]:
    """Closed canonical contours of the upper and the lower lip, through landmarks 48-67."""
    over, under = smooth(face[48:55]), smooth(face[[54, 55, 56, 57, 58, 59, 48]])
    inner_over, inner_under = smooth(face[60:65]), smooth(face[[64, 65, 66, 67, 60]])
    upper = np.vstack([over, inner_over[::-1]])
    lower = np.vstack([under, inner_under[::-1]])
    return upper, lower


def lip_colour(person: Person) -> Colour:
    """Linear colour of the lips: the skin's, redder, or painted."""
    natural = person.skin * np.array([0.82, 0.52, 0.52]) * (1 - 0.2 * person.masculinity * (1 - person.darkness))
    painted = srgb(150, 32, 44)
    return np.asarray(natural + person.lip_colour * 0.75 * (painted - natural), np.float32)


def paint_mouth(
    canvas: Canvas, face: Points, person: Person, expression: Mapping[str, float], rng: np.random.Generator
) -> None:
    """Mouth opening with teeth, and both lips with their fine lines."""
    inner = np.vstack([smooth(face[60:65]), smooth(face[[64, 65, 66, 67, 60]])[1:-1]])
    _mouth_opening(canvas, face, inner, expression)
    colour = lip_colour(person)
    upper, lower = lip_contours(face)
    over, under = fill(upper, 1.0), fill(lower, 1.1)
    canvas.blend(over, colour * 0.82, 0.92)
    canvas.blend(under, colour, 0.90)
    for mask, height in ((fill(upper, 2.2), 0.018), (fill(lower, 2.5), 0.030)):
        canvas.raise_by(mask, height)
    canvas.polish(over, 0.55 + 0.4 * person.lip_colour)
    canvas.polish(under, 0.75 + 0.5 * person.lip_colour)
    x = rng.uniform(-0.9, 0.9, 40) * abs(face[54, 0])
    level = np.interp(x, np.sort(face[[48, 57, 54], 0]), [face[48, 1], face[57, 1] - 0.02, face[54, 1]])
    lines = strokes(np.column_stack([x * 0.93, level - 0.05]), np.column_stack([x, level]), 0.5, 120)
    canvas.tint(within(lines, under), 0.7, 0.6)
    seam = ribbon(smooth(face[60:65]), 0.012, 0.7)
    canvas.tint(seam, [0.30, 0.22, 0.22], 0.85)
    for side in (-1, 1):
        canvas.tint(disc(moved(face[51 + 3 * side], side * 0.004, 0.0), (0.022, 0.016), 1.5), [0.45, 0.36, 0.36], 0.6)
    canvas.tint(disc([0.0, face[57, 1] + 0.035], (0.11, 0.022), 3), [0.74, 0.64, 0.64], 0.7)


def _mouth_opening(canvas: Canvas, face: Points, inner: Points, expression: Mapping[str, float]) -> None:
    height = face[66, 1] - face[62, 1]
    opening = fill(inner, 0.5)
    canvas.blend(opening, srgb(30, 10, 10))
    if height < 0.02:
        return
    canvas.raise_by(fill(inner, 2.0), -0.05 * min(1.0, height / 0.1))
    if expression["open"] > 0.25:
        tongue = disc([0.0, face[66, 1] - 0.01], (0.075, 0.01 + 0.18 * height), 2.0)
        canvas.blend(within(tongue, opening), srgb(88, 36, 36), 0.8)
    top = smooth(face[60:65])
    row = min(0.072, 0.03 + 0.42 * height)
    bite = row * np.clip(1 - (top[:, 0] / (abs(face[64, 0]) * 1.02)) ** 4, 0.1, 1)
    teeth = within(
        fill(np.vstack([moved(top, 0, -0.01), (top + np.column_stack([0 * bite, bite]))[::-1]]), 0.6), opening
    )
    canvas.blend(teeth, srgb(226, 214, 198), 0.95)
    canvas.polish(teeth, 1.0)
    edges = np.array([-0.142, -0.108, -0.072, -0.038, 0.0, 0.038, 0.072, 0.108, 0.142])
    level = np.interp(edges, top[:, 0], top[:, 1])
    gaps = strokes(np.column_stack([edges, level]), np.column_stack([edges, level + row]), 0.5, 150)
    canvas.tint(within(gaps, teeth), 0.5, 0.6)
    canvas.tint(within(ribbon(moved(top, 0, 0.008), 0.03, 1.6), opening), 0.45, 0.85)
    for side in (-1, 1):
        corner = disc([side * abs(face[64, 0]), face[64, 1]], (0.06, 0.05), 2.5)
        canvas.tint(within(corner, opening), 0.35, 0.9)
