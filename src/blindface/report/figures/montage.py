"""Figures made of pictures: every picture stands in whole pixels, so nothing is smoothed that the method did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from blindface.base.images import Image, resize
from blindface.params import OBJECTIVES
from blindface.report.figures.style import PALETTE
from blindface.report.inputs.analysis import mildest_to_strongest, random_ids
from blindface.report.inputs.material import Material
from blindface.restoration.methods import BLIND, method_of, objective_of
from blindface.subgroups.draws import DRAWS

DPI = 160
CELL = 256
GAP = 14
HEAD = 60
SIDE = 150
CAPTION = 52

Picture = Image | None


@dataclass(frozen=True)
class Strip:
    """A row of pictures: None leaves a dash in its cell; captions, where given, stand below the pictures."""

    side: str
    pictures: Sequence[Picture]
    captions: Sequence[str] = ()

    @property
    def height(self) -> int:
        """Pixels from the top of this row to the top of the next."""
        return CELL + GAP + (CAPTION if self.captions else 0)


def montage(strips: Sequence[Strip], heads: Sequence[str]) -> Figure:
    """A grid of square pictures, 256 px each, with heads above the columns and texts at the left of the rows."""
    columns = max(len(strip.pictures) for strip in strips)
    head = HEAD if any(heads) else 0
    side = SIDE if any(strip.side for strip in strips) else 0
    width = side + columns * (CELL + GAP) + GAP
    height = head + GAP + sum(strip.height for strip in strips)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    canvas = np.zeros((height, width, 4), np.uint8)  # one transparent sheet: a picture each would cost seconds

    def write(x: int, y: int, text: str, **look: Any) -> None:
        figure.text(x / width, 1 - y / height, text, **look)

    for column, text in enumerate(heads):
        write(side + GAP + column * (CELL + GAP), head - 4, text, fontsize=9, va="bottom", fontweight="bold")
    top = head + GAP
    for strip in strips:
        write(GAP, top, strip.side, fontsize=8, va="top", color=PALETTE["muted"])
        for column, picture in enumerate(strip.pictures):
            left = side + GAP + column * (CELL + GAP)
            if picture is None:
                write(left + CELL // 2, top + CELL // 2, "–", ha="center", va="center", color=PALETTE["muted"])
            else:
                canvas[top : top + CELL, left : left + CELL, :3] = resize(picture, CELL, "nearest")
                canvas[top : top + CELL, left : left + CELL, 3] = 255
            if strip.captions:
                write(left, top + CELL + 8, strip.captions[column], fontsize=7.5, va="top", color=PALETTE["muted"])
        top += strip.height
    sheet = figure.add_axes((0, 0, 1, 1), zorder=-1)
    sheet.set_axis_off()
    sheet.imshow(canvas, interpolation="none", aspect="auto")
    return figure


def nothing(reason: str) -> Figure:
    """A small figure that says why there is no picture."""
    figure = Figure(figsize=(6, 1.2))
    figure.text(0.5, 0.5, reason, ha="center", va="center", color=PALETTE["muted"], fontsize=9)
    return figure


def _column(stack: Image | None, count: int) -> list[Picture]:
    return [None] * count if stack is None else list(stack)


def examples(material: Material) -> Figure:
    """Random test images: of each objective the blind ones and what its models make of them, then the targets."""
    ids = random_ids(
        material.test_ids(), min(material.params.report.examples, 8), material.params.report.seed, "figure"
    )
    if not ids:
        return nothing("no test images were given")
    columns: dict[str, Image | None] = {}
    for objective in OBJECTIVES:
        rows = [method for method in material.rows(material.expected) if method.objective == objective]
        columns[method_of(BLIND[objective]).label] = material.pictures("blind", objective, ids)
        for method in (method for method in rows if method.restores):
            columns[method.label] = material.pictures("restored", method.name, ids)
    columns["original"] = material.pictures("target", "", ids)
    stacks, heads = list(columns.values()), list(columns)
    return montage(_strips(stacks, [str(number + 1) for number in range(len(ids))]), heads)


def _strips(stacks: Sequence[Image | None], sides: Sequence[str]) -> list[Strip]:
    """Stacks are columns, their images rows."""
    columns = [_column(stack, len(sides)) for stack in stacks]
    return [Strip(side, row) for side, row in zip(sides, zip(*columns, strict=True), strict=True)]


def steps(material: Material) -> Figure:
    """Outputs of the steps for two images of each model that has them."""
    strips: list[Strip] = []
    for model in material.sources.steps:
        ids = material.step_ids(model)[:2]
        outputs = material.steps(model, ids)
        if outputs is not None:
            blind, target = material.pictures("blind", objective_of(model), ids), material.pictures("target", "", ids)
            strips += _strips([blind, *outputs, target], [method_of(model).label] * len(ids))
    if not strips:
        return nothing("no outputs of the single steps were given")
    return montage(strips, ["blind", "step 1, 32 px", "step 2, 64 px", "step 3, 128 px", "original"])


def degradations(material: Material) -> Figure:
    """Originals and their blind images with the drawn parameters, from the mildest to the strongest draw."""
    strips: list[Strip] = []
    for objective in OBJECTIVES:
        draws = material.draws.get(objective)
        if draws is None:
            continue
        ids = mildest_to_strongest(draws, material.params.pairs.of(objective), 6)
        name = objective.replace("objective", "objective ")
        originals, blind = material.pictures("target", "", ids), material.pictures("blind", objective, ids)
        captions = [draw_caption(draws.set_index("id").loc[image]) for image in ids]
        strips.append(Strip(f"{name}\noriginals", _column(originals, len(ids))))
        strips.append(Strip(f"{name}\nblind,\nmild to\nstrong", _column(blind, len(ids)), captions))
    return montage(strips, []) if strips else nothing("no test pairs were given")


def draw_caption(draw: Mapping[str, float]) -> str:
    """The five drawn values in two lines."""
    texts = [f"{symbol} {draw_text(draw[name], name)}" for name, (symbol, _, _) in DRAWS.items()]
    return "   ".join(texts[:3]) + "\n" + "   ".join(texts[3:])


def draw_text(value: float, name: str) -> str:
    """A drawn value as it is printed: whole numbers as such, σ and δ with one decimal."""
    return f"{value:.1f}" if name in ("sigma", "delta") else f"{value:.0f}"
