"""One photograph of one invented person, with the landmarks that it was drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.base.images import Image
from blindface.base.randomness import generator
from blindface.rendered.anatomy import express, shape_face
from blindface.rendered.background import background
from blindface.rendered.canvas import Canvas
from blindface.rendered.chart import Array, Points, sample
from blindface.rendered.features import paint_brows, paint_eyes, paint_mouth, paint_nose
from blindface.rendered.glasses import wear_glasses
from blindface.rendered.hair import STYLES, comb_curtain, grow_hair
from blindface.rendered.light import Scene, Surface, shade
from blindface.rendered.raycast import View, cast, project_landmarks, rotation, surface_normals, surface_points
from blindface.rendered.scene import put_body
from blindface.rendered.sculpt import sculpt
from blindface.rendered.skin import base_canvas, paint_beard, paint_blemishes, paint_flush, paint_folds
from blindface.rendered.traits import Person, Shot, draw_person, draw_shot

SUPERSAMPLING = 1.5


@dataclass(frozen=True)
class Rendered:
    """A rendered photograph: image (H, W, 3) uint8 RGB; landmarks (68, 2) in its pixels, pixel centres at integers."""

    image: Image
    landmarks: NDArray[np.float64]
    attributes: dict[str, Any]


def _paint_head(face: Points, person: Person, shot: Shot, seed: int) -> tuple[Canvas, Array, Array]:
    """The painted head, the radius of its skin, and the cover of its hair."""
    skin, hair = generator(seed, "skin", person.texture), generator(seed, "hair", person.texture)
    radius, ear = sculpt(face, person, shot.expression)
    canvas = base_canvas(person, radius, ear, skin)
    paint_flush(canvas, person, shot.expression["smile"])
    paint_blemishes(canvas, person, skin)
    paint_folds(canvas, face, person, shot.expression)
    paint_beard(canvas, face, person, skin)
    paint_nose(canvas, face, person)
    paint_mouth(canvas, face, person, shot.expression, skin)
    paint_eyes(canvas, face, person, shot, skin)
    paint_brows(canvas, face, person, skin)
    bare = canvas.radius.copy()
    cover = grow_hair(canvas, person, hair)
    return canvas, bare, cover


def _view(radius: Array, face: Points, shot: Shot, size: int) -> View:
    """The camera that brings the middle of eyes, nose and mouth to the shot's centre."""
    turn, scale = rotation(shot), shot.scale * size
    middle = (surface_points(radius, face[27:]) @ turn.T).mean(0)[:2] * scale
    x, y = np.array(shot.centre) * size - 0.5 - middle
    return View(turn, scale, (float(x), float(y)))


def _put_head(scene: Scene, canvas: Canvas, cover: Array, view: View, person: Person) -> None:
    hit = cast(canvas.radius, view, scene.depth.shape[0])
    normal = sample(surface_normals(canvas.radius, view), hit.place)
    colour = sample(canvas.colour, hit.place)
    gloss, hair = sample(canvas.gloss, hit.place), sample(cover, hit.place)
    if STYLES[person.hair_style].end:
        comb_curtain(colour, normal, hair, hit, view, person)
    scene.put(hit.rows, hit.columns, Surface(colour, normal, hit.depth, gloss, 1 - hair), hit.seen)


def _compose(behind: Array, there: NDArray[np.bool_], lit: Array) -> Array:
    """The lit pixels over the background, their outline smoothed."""
    soft = cv2.GaussianBlur(there.astype(np.float32), (5, 5), 0.8)
    spread = np.zeros_like(behind)
    spread[there] = lit
    outline = (soft > 0.02) & (soft < 0.98)
    spill = cv2.GaussianBlur(spread, (5, 5), 0.8)[outline] / soft[outline][:, None]
    colour = np.where(there[outline][:, None], spread[outline], spill)
    edge = np.clip(soft[outline] * np.float32(1.6) - np.float32(0.3), 0, 1)[:, None]
    mixed = behind[outline] + edge * (colour - behind[outline])
    behind[there] = lit
    behind[outline] = mixed
    return behind


def _develop(picture: Array, shot: Shot, size: int, rng: np.random.Generator) -> Image:
    """Linear light (supersampled) -> 8-bit photograph: lens, exposure, tone curve, sensor noise."""
    small = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), shot.softness * size / 250)
    light = np.maximum(soft, 0) * np.float32(1.28 * shot.exposure)
    light = light / (1 + light * np.float32(0.22)) * np.float32(1.12)  # a shoulder that keeps highlights
    level = np.clip(light, 0, 1.2) ** np.float32(1 / 2.2)
    level = (level - np.float32(0.42)) * np.float32(1.06 * shot.contrast) + np.float32(0.42)
    grain = rng.standard_normal((size, size, 3), np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 0.5) * np.float32(1.5)
    return np.asarray(np.clip(np.round(level * 255 + grain * np.float32(shot.noise)), 0, 255), np.uint8)


def _attributes(person: Person, shot: Shot) -> dict[str, Any]:
    return {
        "yaw": round(shot.yaw, 3),
        "pitch": round(shot.pitch, 3),
        "roll": round(shot.roll, 3),
        "glasses": shot.glasses,
        "beard": person.beard,
        "hair_style": person.hair_style,
        "hair_colour": person.hair_name,
        "eye_colour": person.iris_name,
        "skin_darkness": round(person.darkness, 3),
        "age": round(person.age, 3),
        "smile": round(shot.expression["smile"], 3),
        "mouth_open": round(shot.expression["open"], 3),
        "background": shot.background,
    }


def render(person: Person, shot: Shot, seed: int, size: int = 250) -> Rendered:
    """Draw a person as a shot says; `seed` is the base of the patterns of skin, hair and background."""
    rng = generator(seed, "shot", shot.texture)
    face = express(shape_face(person.shape), shot.expression, max(shot.gaze[1], 0))
    canvas, bare, cover = _paint_head(face, person, shot, seed)
    view = _view(bare, face, shot, size)
    large = round(size * SUPERSAMPLING)
    fine = view.resized(large / size)
    scene = Scene.empty(large)
    _put_head(scene, canvas, cover, fine, person)
    put_body(scene, fine, person, shot, rng)
    there, lit = shade(scene, shot, fine.scale)
    picture = _compose(background(large, shot, rng), there, lit)
    if shot.glasses:
        wear_glasses(picture, scene.depth, fine, face, bare, person, shot)
    landmarks = project_landmarks(bare, face, view)
    return Rendered(_develop(picture, shot, size, rng), landmarks, _attributes(person, shot))


def render_photograph(identity: int, photograph: int, seed: int, size: int = 250) -> Rendered:
    """Photograph number `photograph` of person number `identity`: equal arguments give equal bytes.

    size: side of the picture in pixels, 64 to 2048.
    """
    if not 64 <= size <= 2048:
        raise ValueError(f"size must lie within 64..2048, got {size}")
    person = draw_person(seed, identity)
    return render(person, draw_shot(seed, identity, photograph, person), seed, size)
