"""The page: one HTML file that loads nothing, with charts as inline SVG and pictures as data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image as Pillow

from blindface.images import Image
from blindface.params import OBJECTIVES, DegradationParams, Objective
from blindface.report import facts
from blindface.report.analysis import Example, choose_examples, mildest_to_strongest, relative
from blindface.report.catalogue import DRAWS, METHODS, PAPER, PAPER_METRICS, PAPER_VALUES, method_of
from blindface.report.charts import (
    METRIC_MARGINS,
    SEVERITY_MARGINS,
    SEVERITY_SIZE,
    draw_metric,
    draw_severity,
    draw_term,
    metric_size,
    terms_of,
)
from blindface.report.figures import METRICS_CAPTION, severity_panels, title_of
from blindface.report.material import Material, hashes
from blindface.report.montage import draw_text
from blindface.report.scores import decimals
from blindface.report.style import LINE_MARGINS, LINE_SIZE, PALETTE, inline_svg, panels
from blindface.report.table import Table, find, label_of, other_protocol, per_image, rows_of, same_protocol

DARK = {
    "paper": "#15181c",
    "ink": "#e9e7e3",
    "muted": "#9aa1ab",
    "line": "#343a42",
    "blind": "#9aa0aa",
    "objective1": "#76abed",
    "objective2": "#e79b54",
    "sequence": "#56bfae",
    "other": "#bd93dd",
    "step1": "#4a6f9b",
    "step2": "#78a9e0",
    "step3": "#cfe2f8",
}
"""The palette of figures on a dark background, by the same names as `style.PALETTE`."""

SEQUENCE_EXAMPLES = 4
STEP_EXAMPLES = 3
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


def write_page(material: Material, photographs: bool, commit: str | None) -> str:
    """The page's HTML."""
    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    context = {
        "title": material.params.report.title,
        "paper": PAPER,
        "palettes": {"light": PALETTE, "dark": DARK},
        "style": Markup((folder / "page.css").read_text()),
        "script": Markup((folder / "page.js").read_text()),
        "photographs": photographs,
        "lacks": material.lacks,
        "caveats": facts.caveats(material),
        "headline": headline(material),
        "metrics_caption": METRICS_CAPTION,
        **_tables(material),
        **_charts(material),
        "examples": _examples(material) if photographs else [],
        "progressive": _progressive(material) if photographs else [],
        "degradations": _degradations(material) if photographs else [],
        **_provenance(material, photographs, commit),
    }
    return environment.get_template("page.html").render(context)


def headline(material: Material) -> list[dict[str, str]]:
    """For each objective what restoring changes: PSNR and LPIPS from the blind image to the restored one."""
    tiles = []
    for objective in OBJECTIVES:
        method = method_of(objective)
        for metric in (PAPER_METRICS[0], PAPER_METRICS[3]):
            name = find(material.scores, metric.same, metric.kin)
            before, after = (_value(material, row, name) for row in (method.blind, objective))
            if name is None or before is None or after is None:
                continue
            places = decimals([before, after])
            papers = ""
            if name in metric.same:
                first, last = (PAPER_VALUES[row][metric.name].text for row in (str(method.blind), objective))
                papers = f"the paper: {first.split()[0]} → {last.split()[0]}"
            label = metric.label if name in metric.same else label_of(material.scores, name)
            tiles.append(
                {"name": objective, "label": f"{method.label}, {label}", "paper": papers}
                | {"before": f"{before:.{places}f}", "after": f"{after:.{places}f}"}
            )
    return tiles


def _value(material: Material, method: str | None, name: str | None) -> float | None:
    scores = material.scores.get(method or "")
    metric = scores.metrics.get(name or "") if scores else None
    return metric.value if metric else None


def _tables(material: Material) -> dict[str, Any]:
    scores = material.scores
    protocols: dict[str, tuple[str, str, str]] = {}
    for score in scores.values():
        for name, metric in score.metrics.items():
            if metric.protocol:
                protocols.setdefault(name, (metric.label, name, metric.protocol))
    tables: dict[str, Table | None] = {"same": None, "other": None, "images": None}
    if scores:
        tables = {"same": same_protocol(scores), "other": other_protocol(scores), "images": per_image(scores)}
    return {"tables": tables, "protocols": list(protocols.values())}


def _charts(material: Material) -> dict[str, Any]:
    return {
        "metric_charts": _metric_charts(material) if material.scores else [],
        "convergence": [(title_of(name), _convergence(material, name)) for name in OBJECTIVES],
        "severity": [_severity(material, name) for name in OBJECTIVES],
    }


def _metric_charts(material: Material) -> list[Markup]:
    methods, charts = rows_of(material.scores), []
    for metric in PAPER_METRICS:
        figure, (axes,) = panels(1, 1, metric_size(methods), METRIC_MARGINS)
        name = find(material.scores, metric.same, metric.kin)
        draw_metric(axes, material.scores, methods, metric, name)
        charts.append(Markup(inline_svg(figure, f"m-{metric.name}", f"{metric.label} of all methods, as in the table")))
    return charts


def _convergence(material: Material, objective: Objective) -> list[Markup]:
    charts: list[Markup] = []
    history = material.history.get(objective)
    for term, title in terms_of(history) if history is not None else []:
        figure, (axes,) = panels(1, 1, LINE_SIZE, LINE_MARGINS)
        draw_term(axes, history, term, title)
        charts.append(Markup(inline_svg(figure, f"c-{objective}-{term}", f"{title} by epoch, {title_of(objective)}")))
    return charts


def _severity(material: Material, objective: Objective) -> dict[str, Any]:
    charts: list[Markup] = []
    key: list[tuple[str, str]] = []
    for panel in severity_panels(material, objective):
        figure, (axes,) = panels(1, 1, SEVERITY_SIZE, SEVERITY_MARGINS)
        draw_severity(axes, panel.lines, panel.parameter, panel.label, panel.limits)
        what = f"{panel.label} by {DRAWS[panel.parameter][1]}, {title_of(objective)}"
        charts.append(Markup(inline_svg(figure, f"s-{objective}-{panel.metric}-{panel.parameter}", what)))
        key = [(label, "blind" if method.startswith("blind") else method) for label, method in panel.key]
    return {"title": title_of(objective), "charts": charts, "key": key}


def _examples(material: Material) -> list[dict[str, Any]]:
    groups = []
    for method in METHODS:
        if method.name == method.blind or method.objective is None or method.name not in material.sources.restored:
            continue
        count = material.params.report.examples
        frame = material.per_image.get(method.name)
        if frame is None:
            frame = pd.DataFrame({"id": material.test_ids()})
        if method.name == "sequence":
            count = min(count, SEQUENCE_EXAMPLES)
        chosen = choose_examples(frame, count, material.params.report.seed, method.name)
        cards = _cards(material, method.name, method.objective, chosen)
        if cards:
            title = method.label.capitalize() if method.name == "sequence" else title_of(method.name)
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
    size = getattr(material.params.pairs, objective).u
    return [
        Card(
            example.rank,
            _score(example),
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


def _score(example: Example) -> str:
    if example.metric is None or example.value is None:
        return ""
    label = example.metric.replace("lpips_", "LPIPS ").replace("psnr", "PSNR")
    return f"{label} {example.value:.{decimals([example.value])}f}"


def _drawn(material: Material, objective: Objective, image: str) -> list[Draw]:
    frame = material.draws.get(objective)
    row = None if frame is None else frame[frame["id"] == image]
    if row is None or row.empty:
        return []
    ranges: DegradationParams = getattr(material.params.pairs, objective)
    result = []
    for name, (symbol, meaning, _) in DRAWS.items():
        values = row[name].to_numpy(float)
        place = float(relative(values, ranges, name)[0])
        result.append(Draw(symbol, meaning, draw_text(float(values[0]), name), place))
    return result


def _progressive(material: Material) -> list[dict[str, Any]]:
    groups = []
    for objective in OBJECTIVES:
        ids = material.step_ids(objective)[:STEP_EXAMPLES]
        steps = material.steps(objective, ids)
        if steps is None:
            continue
        stacks = [material.pictures("blind", objective, ids), *steps, material.pictures("target", "", ids)]
        heads = ["blind", "step 1, 32 px", "step 2, 64 px", "step 3, 128 px", "original"]
        columns = [_uris(stack, len(ids)) for stack in stacks]
        small = [stack is not None and stack.shape[1] < 128 for stack in stacks]
        groups.append(
            {"title": title_of(objective), "small": small, "heads": heads, "rows": list(zip(*columns, strict=True))}
        )
    return groups


def _degradations(material: Material) -> list[dict[str, Any]]:
    groups = []
    for objective in OBJECTIVES:
        draws = material.draws.get(objective)
        if draws is None:
            continue
        ids = mildest_to_strongest(draws, getattr(material.params.pairs, objective), DEGRADED_EXAMPLES)
        blind = _uris(material.pictures("blind", objective, ids), len(ids))
        target = _uris(material.pictures("target", "", ids), len(ids))
        size = getattr(material.params.pairs, objective).u
        cards = [
            Card("", "", blind[n], None, target[n], _drawn(material, objective, image), size < 128)
            for n, image in enumerate(ids)
        ]
        groups.append({"title": title_of(objective), "cards": cards})
    return groups


def _provenance(material: Material, photographs: bool, commit: str | None) -> dict[str, Any]:
    skipped = material.skipped
    reasons = {} if skipped is None or skipped.empty else skipped["reason"].value_counts(sort=False).to_dict()
    named = [] if skipped is None or not photographs else list(skipped.itertuples(index=False, name=None))[:50]
    parameters = yaml.safe_dump(material.params.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return {
        "facts": facts.run_facts(material),
        "records": facts.run_records(material),
        "versions": facts.versions(material),
        "hashes": hashes(material),
        "commit": commit,
        "parameters": parameters,
        "skip_reasons": sorted(reasons.items()),
        "skipped": named,
        "weights": sorted(material.weights.items()),
        "checked": material.checked,
    }
