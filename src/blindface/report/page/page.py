"""The page: one HTML file that loads nothing, with charts as inline SVG and pictures as data URIs."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from blindface.base.job_costs import read_job_costs
from blindface.evaluation.paper import PAPER_METRICS
from blindface.params import OBJECTIVES, Objective
from blindface.report.figures.charts import (
    METRIC_MARGINS,
    SEVERITY_MARGINS,
    SEVERITY_SIZE,
    draw_metric,
    draw_severity,
    draw_term,
    metric_size,
    terms_of,
)
from blindface.report.figures.files import METRICS_CAPTION, model_title, severity_panels, title_of
from blindface.report.figures.style import DARK, LINE_MARGINS, LINE_SIZE, PALETTE, inline_svg, panels, role_of
from blindface.report.inputs.material import Material, hashes
from blindface.report.inputs.names import meaning_of
from blindface.report.inputs.scores import arrow, find
from blindface.report.page import cards
from blindface.report.page.groups import group_context
from blindface.report.text import facts
from blindface.report.text.sections import result_sections
from blindface.report.text.summary import Findings, paragraph
from blindface.report.text.table import MARKS
from blindface.subgroups.draws import DRAWS


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
    environment.filters["lead"] = _lead
    context = {
        "title": material.title,
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
        "spread": cards.spread_groups(material) if photographs else [],
        "white": cards.WHITE_SPREAD,
        "steps": cards.step_groups(material) if photographs else [],
        "degradations": cards.degradation_groups(material) if photographs else [],
        **_provenance(material, photographs, commit),
    }
    return environment.get_template("page.html").render(context)


def _lead(text: str) -> Markup:
    """A section's lead with a typographer's apostrophes, its signs of verdicts in their colours."""
    marked = str(escape(text.replace("'", "’")))
    for verdict, sign in MARKS.items():
        marked = marked.replace(sign, f'<span class="verdict {verdict}">{sign}</span>')
    return Markup(marked)


def _tables(material: Material, findings: Findings) -> dict[str, Any]:
    scores = material.scores
    protocols: dict[str, tuple[str, str, str, str]] = {}
    for score in scores.values():
        for name, metric in score.metrics.items():
            protocols.setdefault(name, (metric.label, name, meaning_of(name), metric.protocol))
    return {
        "sections": result_sections(material, findings),
        "methods": [(method.label, method.what, material.chosen(method.name)) for method in material.methods],
        "protocols": list(protocols.values()),
    }


def _charts(material: Material) -> dict[str, Any]:
    return {
        "metric_charts": _metric_charts(material) if material.scores else [],
        "convergence": [(model_title(name), _convergence(material, name)) for name in material.models],
        "severity": [_severity(material, name) for name in OBJECTIVES],
    }


def _metric_charts(material: Material) -> list[Markup]:
    methods, charts = material.methods, []
    for metric in PAPER_METRICS:
        figure, (axes,) = panels(1, 1, metric_size(methods), METRIC_MARGINS)
        name = find(material.scores, metric.same, metric.kin)
        draw_metric(axes, material.scores, methods, metric, name)
        charts.append(Markup(inline_svg(figure, f"m-{metric.name}", f"{metric.label} of all methods, as in the table")))
    return charts


def _convergence(material: Material, model: str) -> list[Markup]:
    charts: list[Markup] = []
    history = material.history.get(model)
    for term, title in terms_of(history) if history is not None else []:
        figure, (axes,) = panels(1, 1, LINE_SIZE, LINE_MARGINS)
        draw_term(axes, history, term, title)
        charts.append(Markup(inline_svg(figure, f"c-{model}-{term}", f"{title} by epoch, {model_title(model)}")))
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
    parameters = yaml.safe_dump(material.params.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return {
        "facts": facts.run_facts(material),
        "records": facts.run_records(material),
        "versions": facts.versions(material),
        "hashes": hashes(material),
        "commit": commit,
        "durations": durations(material.sources.benchmarks),
        "parameters": parameters,
        "skip_reasons": sorted(reasons.items()),
        "skipped": named,
        "weights": sorted(material.weights.items()),
    }


def durations(folder: Path | None) -> list[tuple[str, str, float | None]]:
    """Job, time and most memory in MB, the longest first, without the report itself.

    They are no inputs of the report: a pulled result has none, and a stage measured anew changes no number.
    """
    if folder is None:
        return []
    jobs = read_job_costs(folder).sort_values("seconds", ascending=False, kind="stable")
    jobs = jobs[jobs["stage"] != "write_report"]
    return [
        (name.replace(".", ", "), facts.duration_text(seconds), None if isnan(memory) else memory)
        for name, seconds, memory in zip(jobs["stage"], jobs["seconds"], jobs["memory_mb"], strict=True)
    ]
