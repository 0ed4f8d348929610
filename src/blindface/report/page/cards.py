"""The page's pictures of faces: examples, outputs of the steps and degradations, as data URIs with their captions."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from PIL import Image as Pillow

from blindface.base.images import Image
from blindface.params import OBJECTIVES, Objective
from blindface.report.figures.files import model_title, title_of
from blindface.report.figures.montage import draw_text
from blindface.report.inputs.analysis import Example, choose_examples, mildest_to_strongest, random_ids, relative
from blindface.report.inputs.material import Material
from blindface.report.inputs.scores import Scores, decimals, label_of
from blindface.restoration.methods import objective_of
from blindface.subgroups.draws import DRAWS

FURTHER_EXAMPLES = 4
STEP_EXAMPLES = 3
STRIPS = 3
WHITE_SPREAD = 48
"""Levels of standard deviation that the map of what is made up shows as white."""
DEGRADED_EXAMPLES = 6


def data_uri(image: Image) -> Markup:
    """An image (H, W, 3) uint8 as a lossless WebP data URI."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, format="WEBP", lossless=True, quality=60, method=1)
    return Markup("data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode())


@dataclass(frozen=True)
class Draw:
    """A drawn parameter of one image: symbol, printed value, and its place from mild (0) to strong (1) in the range."""

    symbol: str
    meaning: str
    value: str
    place: float


@dataclass(frozen=True)
class Card:
    """A picture card: `left` and `right` are compared, `target` stands beside them; any may be absent."""

    title: str
    score: str
    left: Markup | None
    right: Markup | None
    target: Markup | None
    draws: Sequence[Draw]
    pixelated: bool


def example_groups(material: Material) -> list[dict[str, Any]]:
    """Per method its cards: best, median, worst and random test images."""
    groups = []
    for method in material.rows(material.sources.restored):
        if method.baseline or method.objective is None:
            continue
        count = material.params.report.examples
        frame = material.per_image.get(method.name)
        if frame is None:
            frame = pd.DataFrame({"id": material.test_ids()})
        if not method.lead:
            count = min(count, FURTHER_EXAMPLES)
        chosen = choose_examples(frame, count, material.params.report.seed, method.name)
        cards = _cards(material, method.name, method.objective, chosen)
        if cards:
            title = model_title(method.name) if method.lead else method.label
            groups.append({"name": method.name, "title": title, "cards": cards})
    return groups


def _cards(material: Material, method: str, objective: Objective, chosen: Sequence[Example]) -> list[Card]:
    ids = [example.id for example in chosen]
    left, right, target = (
        _uris(material.pictures(kind, name, ids), len(ids))
        for kind, name in (("blind", objective), ("restored", method), ("target", ""))
    )
    if not any(right):
        return []
    size = material.params.pairs.of(objective).u
    return [
        Card(
            example.rank,
            _score(example, material.scores),
            left[n],
            right[n],
            target[n],
            _drawn(material, objective, example.id),
            size < 128,
        )
        for n, example in enumerate(chosen)
    ]


def _uris(stack: Image | None, count: int) -> list[Markup | None]:
    return [None] * count if stack is None else [data_uri(image) for image in stack]


def _score(example: Example, scores: Mapping[str, Scores]) -> str:
    if example.metric is None or example.value is None:
        return ""
    return f"{label_of(scores, example.metric)} {example.value:.{decimals([example.value])}f}"


def _drawn(material: Material, objective: Objective, image: str) -> list[Draw]:
    frame = material.draws.get(objective)
    row = None if frame is None else frame[frame["id"] == image]
    if row is None or row.empty:
        return []
    ranges = material.params.pairs.of(objective)
    result = []
    for name, (symbol, meaning, _) in DRAWS.items():
        values = row[name].to_numpy(float)
        place = float(relative(values, ranges, name)[0])
        result.append(Draw(symbol, meaning, draw_text(float(values[0]), name), place))
    return result


def side_by_side_groups(material: Material) -> list[dict[str, Any]]:
    """Per objective a few random test images as every method of that objective restores them."""
    groups = []
    ids = random_ids(material.test_ids(), STRIPS, material.params.report.seed, "side by side")
    for objective in OBJECTIVES:
        methods = [m for m in material.rows(material.sources.restored) if m.objective == objective and m.restores]
        restored = {method.label: material.pictures("restored", method.name, ids) for method in methods}
        stacks = {label: stack for label, stack in restored.items() if stack is not None}
        if len(stacks) > 1:
            blind, target = material.pictures("blind", objective, ids), material.pictures("target", "", ids)
            groups.append(_strips(title_of(objective), {"blind": blind, **stacks, "original": target}, len(ids)))
    return groups


def _strips(title: str, stacks: Mapping[str, Image | None], count: int) -> dict[str, Any]:
    """Rows of pictures under their heads; `small` marks stacks that are shown in whole pixels."""
    columns = [_uris(stack, count) for stack in stacks.values()]
    return {
        "title": title,
        "heads": list(stacks),
        "small": [stack is not None and stack.shape[1] < 128 for stack in stacks.values()],
        "rows": list(zip(*columns, strict=True)),
    }


def step_groups(material: Material) -> list[dict[str, Any]]:
    """Per model the outputs of the three steps, between the blind image and the original."""
    groups = []
    for model in material.sources.steps:
        ids = material.step_ids(model)[:STEP_EXAMPLES]
        steps = material.steps(model, ids)
        if steps is None:
            continue
        stacks = {"blind": material.pictures("blind", objective_of(model), ids)}
        stacks |= zip(("step 1, 32 px", "step 2, 64 px", "step 3, 128 px"), steps, strict=True)
        stacks["original"] = material.pictures("target", "", ids)
        groups.append(_strips(model_title(model), stacks, len(ids)))
    return groups


def spread_groups(material: Material) -> list[dict[str, Any]]:
    """Per flow the mean of its samples and the map of their spread, between the blind image and the original."""
    groups = []
    for model in material.sources.spread:
        found = material.spread(model, STEP_EXAMPLES)
        if found is None:
            continue
        ids, mean, spread = found
        shown = np.clip(spread.astype(np.float64).mean(axis=3, keepdims=True) * (255 / WHITE_SPREAD), 0, 255)
        stacks = {"blind": material.pictures("blind", objective_of(model), ids), "mean of samples": mean}
        stacks["made up"] = np.repeat(shown.round().astype(np.uint8), 3, axis=3)
        stacks["original"] = material.pictures("target", "", ids)
        groups.append(_strips(model_title(model), stacks, len(ids)))
    return groups


def degradation_groups(material: Material) -> list[dict[str, Any]]:
    """Per objective the blind images from the mildest to the strongest draw."""
    groups = []
    for objective in OBJECTIVES:
        draws = material.draws.get(objective)
        if draws is None:
            continue
        ids = mildest_to_strongest(draws, material.params.pairs.of(objective), DEGRADED_EXAMPLES)
        blind = _uris(material.pictures("blind", objective, ids), len(ids))
        target = _uris(material.pictures("target", "", ids), len(ids))
        size = material.params.pairs.of(objective).u
        cards = [
            Card("", "", blind[n], None, target[n], _drawn(material, objective, image), size < 128)
            for n, image in enumerate(ids)
        ]
        groups.append({"title": title_of(objective), "cards": cards})
    return groups
