"""The page: one HTML file that loads nothing, with charts as inline SVG and pictures as data URIs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from blindface.params import OBJECTIVES, Objective
from blindface.report import cards, facts
from blindface.report.catalogue import DRAWS, PAPER, PAPER_METRICS, meaning_of
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
from blindface.report.durations import read_durations
from blindface.report.figures import METRICS_CAPTION, severity_panels, title_of
from blindface.report.group_page import group_context
from blindface.report.material import Material, hashes
from blindface.report.results import difference_table, other_protocol, per_image, same_protocol
from blindface.report.scores import arrow, find, rows_of
from blindface.report.style import LINE_MARGINS, LINE_SIZE, PALETTE, inline_svg, panels, role_of
from blindface.report.summary import Findings, paragraph
from blindface.report.table import Table

DARK = {
    "paper": "#15181c",
    "ink": "#e9e7e3",
    "muted": "#9aa1ab",
    "line": "#343a42",
    "blind": "#9aa0aa",
    "objective1": "#76abed",
    "objective2": "#e79b54",
    "sequence": "#56bfae",
    "parallel": "#d9a93f",
    "classical": "#b8a48e",
    "mae": "#e08bb4",
    "other": "#bd93dd",
    "step1": "#5fc3c8",
    "step2": "#7fb2f0",
    "step3": "#c3b5f5",
    "good": "#6fcf84",
    "bad": "#f2877f",
}
"""The palette of figures on a dark background, by the same names as `style.PALETTE`."""


def write_page(material: Material, findings: Findings, photographs: bool, commit: str | None) -> str:
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
        "arrow": arrow,
        "summary": paragraph(material, findings.changes),
        "changes": findings.changes,
        "metrics_caption": METRICS_CAPTION,
        **_tables(material, findings),
        **_charts(material),
        "groups": group_context(material),
        "examples": cards.example_groups(material) if photographs else [],
        "side_by_side": cards.side_by_side_groups(material) if photographs else [],
        "progressive": cards.step_groups(material) if photographs else [],
        "degradations": cards.degradation_groups(material) if photographs else [],
        **_provenance(material, photographs, commit),
    }
    return environment.get_template("page.html").render(context)


def _tables(material: Material, findings: Findings) -> dict[str, Any]:
    scores = material.scores
    protocols: dict[str, tuple[str, str, str, str]] = {}
    for score in scores.values():
        for name, metric in score.metrics.items():
            protocols.setdefault(name, (metric.label, name, meaning_of(name), metric.protocol))
    tables: dict[str, Table | None] = {"same": None, "other": None, "images": None}
    if scores:
        tables = {"same": same_protocol(scores), "other": other_protocol(scores), "images": per_image(scores)}
    return {
        "tables": tables | {"differences": difference_table(findings.differences)},
        "methods": [(method.label, method.what, material.chosen(method.name)) for method in rows_of(scores)],
        "protocols": list(protocols.values()),
    }


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
        key = [(label, role_of(method)) for label, method in panel.key]
    return {"title": title_of(objective), "charts": charts, "key": key}


def _provenance(material: Material, photographs: bool, commit: str | None) -> dict[str, Any]:
    skipped = material.skipped
    reasons = {} if skipped is None or skipped.empty else skipped["reason"].value_counts(sort=False).to_dict()
    named = [] if skipped is None or not photographs else list(skipped.itertuples(index=False, name=None))[:50]
    jobs = read_durations(material.sources.benchmarks)
    parameters = yaml.safe_dump(material.params.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return {
        "facts": facts.run_facts(material),
        "records": facts.run_records(material),
        "versions": facts.versions(material),
        "hashes": hashes(material),
        "commit": commit,
        "durations": [(job.name.replace(".", ", "), facts.duration_text(job.seconds), job.megabytes) for job in jobs],
        "parameters": parameters,
        "skip_reasons": sorted(reasons.items()),
        "skipped": named,
        "weights": sorted(material.weights.items()),
    }
