"""What is drawn by chance: who a rendered person is, and how one photograph of the person was taken.

All colours are linear RGB in [0, 1]; `srgb` turns the usual 8-bit notation into them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blindface.base.randomness import generator

Colour = NDArray[np.float32]

HAIR_COLOURS = {
    "black": (24, 20, 20),
    "dark brown": (48, 33, 25),
    "brown": (82, 56, 38),
    "chestnut": (104, 60, 36),
    "blond": (176, 138, 86),
    "light blond": (206, 176, 128),
    "red": (140, 66, 32),
    "grey": (134, 130, 126),
    "white": (182, 180, 178),
}
SKIN_TONES = (
    (231, 199, 183),
    (222, 183, 162),
    (210, 166, 142),
    (182, 136, 110),
    (144, 101, 80),
    (104, 70, 55),
    (76, 51, 42),
)
IRIS_COLOURS = {
    "brown": (78, 46, 24),
    "hazel": (104, 80, 42),
    "green": (92, 108, 74),
    "blue": (80, 106, 132),
    "grey": (104, 114, 120),
}
HAIR_STYLES = ("bald", "buzz", "short", "side part", "swept back", "fringe", "curls", "bob", "long")
GLASSES = ("thin metal", "dark frame", "half rim", "round")
SHAPES = (
    "face_width", "jaw_width", "chin_length", "chin_width", "eye_spacing", "eye_size", "eye_tilt", "eye_height",
    "brow_height", "brow_arch", "brow_tilt", "nose_length", "nose_width", "nose_prominence", "nose_bridge",
    "mouth_height", "mouth_width", "lip_fullness", "cheekbones", "forehead", "eye_depth", "chin_prominence",
)  # fmt: skip


def srgb(*levels: float) -> Colour:
    """8-bit sRGB levels -> linear RGB in [0, 1], float32 (3,)."""
    share = np.asarray(levels, np.float64) / 255.0
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4).astype(np.float32)


@dataclass(frozen=True)
class Person:
    """What stays the same in every photograph of a person."""

    name: str
    shape: dict[str, float]  # deviations from the mean face, about standard normal, within [-2, 2]
    masculinity: float  # 0..1, moves brow, jaw, beard and hair together
    age: float  # 0..1
    skin: Colour
    darkness: float  # 0..1, place on the scale of skin tones
    hair_style: str
    hair_name: str
    hair: Colour
    hairline: float  # 0 low .. 1 receded
    part: float  # side of the parting, -1..1
    brow: Colour
    brow_weight: float
    iris_name: str
    iris: Colour
    beard: str  # none, stubble, moustache, goatee, full
    glasses: str  # a style of GLASSES, or none
    freckles: float
    moles: NDArray[np.float64]  # (n, 2) canonical positions
    lip_colour: float  # 0 natural .. 1 painted
    texture: int  # seed of the skin and hair pattern


@dataclass(frozen=True)
class Shot:
    """What differs from photograph to photograph. Angles in degrees, lengths in shares of the frame's side."""

    yaw: float  # positive: the face turns to the right of the picture
    pitch: float  # positive: looks up
    roll: float  # positive: clockwise in the picture
    scale: float  # length of a canonical unit (about 12 cm)
    centre: tuple[float, float]  # where the middle of eyes, nose and mouth stands
    expression: dict[str, float]
    gaze: tuple[float, float]
    glasses: bool
    light: NDArray[np.float32]  # unit vector towards the key light: right, down, to the viewer
    key: Colour
    fill: Colour
    exposure: float
    contrast: float
    softness: float
    noise: float
    garment: str
    garment_colours: tuple[Colour, Colour, Colour]
    background: str
    texture: int
    extra: dict[str, float] = field(default_factory=dict)


def person_name(identity: int) -> str:
    """The invented name of an identity, in LFW's manner."""
    return f"Rendered_Person_{identity:03d}"


def _mix(stops: tuple[tuple[int, int, int], ...], place: float) -> Colour:
    table = np.array([srgb(*stop) for stop in stops])
    position = np.clip(place, 0, 1) * (len(stops) - 1)
    return np.array([np.interp(position, range(len(stops)), table[:, c]) for c in range(3)], np.float32)


def _draw_hair(rng: np.random.Generator, darkness: float, age: float, masculinity: float) -> tuple[str, str]:
    light = max(0.0, 0.55 - darkness)
    weights = np.array(
        [0.5 + 2.2 * darkness, 1.0, 0.5 + light, 0.2 + light, 0.7 * light, 0.6 * light, 0.35 * light, 0.0, 0.0]
    )
    if age > 0.55:
        weights = weights * 0.35 + np.array([0, 0, 0, 0, 0, 0, 0, 1.6, 1.2 * (age > 0.75)])
    name = str(rng.choice(list(HAIR_COLOURS), p=weights / weights.sum()))
    if masculinity > 0.5:
        chances = np.array([0.09 + 0.12 * age, 0.13, 0.3, 0.2, 0.14, 0.09, 0.1, 0.0, 0.04])
    else:
        chances = np.array([0.0, 0.02, 0.06, 0.05, 0.1, 0.07, 0.13, 0.27, 0.3])
    return name, str(rng.choice(HAIR_STYLES, p=chances / chances.sum()))


def _draw_shape(rng: np.random.Generator, masculinity: float) -> dict[str, float]:
    shape = {name: float(np.clip(rng.normal(), -2, 2)) for name in SHAPES}
    lean = 2.0 * masculinity - 1.0
    for name, amount in {
        "jaw_width": 0.7, "chin_length": 0.5, "chin_width": 0.5, "brow_height": -0.6, "brow_arch": -0.7,
        "nose_width": 0.4, "nose_length": 0.3, "lip_fullness": -0.6, "eye_size": -0.5, "eye_depth": 0.6,
        "eye_height": -0.4,
    }.items():  # fmt: skip
        shape[name] += amount * lean
    return shape


def draw_person(seed: int, identity: int) -> Person:
    """The person of an identity; depends on nothing but the two numbers."""
    rng = generator(seed, "embedded", "person", identity)
    masculinity = float(np.clip(rng.normal(0.85 if rng.random() < 0.55 else 0.13, 0.12), 0, 1))
    darkness, age = float(rng.beta(0.9, 1.15)), float(rng.beta(1.3, 1.5))
    undertone = np.exp(rng.normal(0, [0.02, 0.025, 0.04])).astype(np.float32)
    hair_name, hair_style = _draw_hair(rng, darkness, age, masculinity)
    hair = srgb(*HAIR_COLOURS[hair_name]) * np.float32(rng.uniform(0.8, 1.25))
    light = max(0.02, 0.5 - darkness)
    chances = np.array([1.0, 0.35 * light + 0.08, 0.5 * light, 1.1 * light, 0.5 * light])
    iris_name = str(rng.choice(list(IRIS_COLOURS), p=chances / chances.sum()))
    beards = [0.42, 0.27, 0.07, 0.09, 0.15] if masculinity > 0.6 else [1.0, 0, 0, 0, 0]
    brow = hair * np.float32(0.75) if age < 0.8 else hair * np.float32(0.9)
    if hair_name in ("blond", "light blond"):
        brow = srgb(112, 82, 54)
    return Person(
        name=person_name(identity),
        shape=_draw_shape(rng, masculinity),
        masculinity=masculinity,
        age=age,
        skin=_mix(SKIN_TONES, darkness) * undertone,
        darkness=darkness,
        hair_style=hair_style,
        hair_name=hair_name,
        hair=hair,
        hairline=float(np.clip(rng.normal(0.3 + 0.5 * age * masculinity, 0.2), 0, 1)),
        part=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.0)),
        brow=brow,
        brow_weight=float(np.clip(rng.normal(0.45 + 0.35 * masculinity, 0.15), 0.2, 1)),
        iris_name=iris_name,
        iris=srgb(*IRIS_COLOURS[iris_name]) * np.float32(rng.uniform(0.75, 1.3)),
        beard=str(rng.choice(["none", "stubble", "moustache", "goatee", "full"], p=beards)),
        glasses=str(rng.choice(GLASSES)) if rng.random() < 0.14 + 0.28 * age else "none",
        freckles=float(max(0.0, rng.normal(-0.3, 0.6)) * (1 - darkness)),
        moles=rng.uniform([0.18, -0.1], [0.5, 0.7], (int(rng.integers(0, 3)), 2)) * [rng.choice([-1, 1]), 1],
        lip_colour=float(rng.uniform(0.1, 0.9) if masculinity < 0.4 and rng.random() < 0.65 else 0.0),
        texture=int(rng.integers(2**31)),
    )


def _draw_expression(rng: np.random.Generator) -> dict[str, float]:
    kind = rng.choice(
        ["neutral", "smile", "laugh", "talk", "surprise", "frown"], p=[0.26, 0.28, 0.16, 0.16, 0.06, 0.08]
    )
    small = np.clip(rng.normal(0, 0.12, 5), -0.3, 0.3)
    base = {
        "neutral": (0.1, 0.0, 0.0, 0.0, 0.1),
        "smile": (0.75, 0.06, 0.1, 0.0, 0.3),
        "laugh": (1.0, 0.42, 0.2, 0.0, 0.55),
        "talk": (0.1, 0.45, 0.15, 0.1, 0.1),
        "surprise": (0.0, 0.6, 0.95, 0.0, -0.5),
        "frown": (-0.35, 0.0, -0.2, 0.9, 0.35),
    }[str(kind)]
    names = ("smile", "open", "raise", "frown", "squint")
    values = {name: float(value + shift) for name, value, shift in zip(names, base, small, strict=True)}
    values["open"] = max(0.0, values["open"]) if base[1] > 0 else 0.0
    values["raise_side"] = float(rng.normal(0, 0.25))
    return values


def _draw_light(rng: np.random.Generator) -> tuple[NDArray[np.float32], Colour, Colour]:
    azimuth, height = np.radians(np.clip(rng.normal(0, 38), -75, 75)), np.radians(rng.uniform(5, 55))
    light = np.array([np.sin(azimuth) * np.cos(height), -np.sin(height), np.cos(azimuth) * np.cos(height)], np.float32)
    warmth = rng.normal(0, 0.08)
    key = np.exp([warmth, 0.25 * warmth, -warmth]) * rng.uniform(0.70, 1.0)
    coolness = rng.normal(-0.3 * warmth, 0.08)
    fill = np.exp([coolness, 0, -coolness]) * rng.uniform(0.2, 0.5)
    return light, key.astype(np.float32), fill.astype(np.float32)


def _garment_colours(rng: np.random.Generator) -> tuple[Colour, Colour, Colour]:
    dark = srgb(*(rng.uniform(18, 62) * np.exp(rng.normal(0, 0.18, 3))))
    vivid = srgb(*np.clip(rng.uniform(35, 180) * np.exp(rng.normal(0, 0.26, 3)), 8, 210))
    pale = srgb(*np.clip(rng.uniform(195, 240) * np.exp(rng.normal(0, 0.03, 3)), 0, 255))
    return dark, vivid, pale


def draw_shot(seed: int, identity: int, photograph: int, person: Person) -> Shot:
    """How a photograph of a person was taken; depends on nothing but the numbers and the person."""
    rng = generator(seed, "embedded", "photograph", identity, photograph)
    light, key, fill = _draw_light(rng)
    suits = ["suit", "shirt", "crew neck", "v neck"]
    odds = [0.45, 0.2, 0.2, 0.15] if person.masculinity > 0.5 else [0.15, 0.2, 0.3, 0.35]
    return Shot(
        yaw=float(np.clip(rng.normal(0, 15), -35, 35)),
        pitch=float(np.clip(rng.normal(0, 7), -16, 16)),
        roll=float(np.clip(rng.normal(0, 5.5), -15, 15)),
        scale=float(0.32 * np.exp(rng.normal(0, 0.035))),
        centre=(float(rng.normal(0.5, 0.010)), float(rng.normal(0.545, 0.010))),
        expression=_draw_expression(rng),
        gaze=(float(np.clip(rng.normal(0, 0.4), -1, 1)), float(np.clip(rng.normal(0.05, 0.25), -0.6, 0.6))),
        glasses=person.glasses != "none" and bool(rng.random() < 0.85),
        light=light,
        key=key,
        fill=fill,
        exposure=float(np.exp(rng.normal(0.02, 0.14))),
        contrast=float(rng.normal(1.0, 0.06)),
        softness=float(rng.uniform(0.25, 0.85)),
        noise=float(rng.uniform(0.8, 3.2)),
        garment=str(rng.choice(suits, p=odds)),
        garment_colours=_garment_colours(rng),
        background=str(
            rng.choice(["gradient", "shapes", "panels", "bokeh", "texture"], p=[0.22, 0.3, 0.2, 0.14, 0.14])
        ),
        texture=int(rng.integers(2**31)),
        extra={name: float(rng.random()) for name in ("tie", "collar", "flyaway", "reflection")},
    )
