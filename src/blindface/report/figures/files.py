"""The figures as files, PNG and SVG, under one folder.

    metrics                  every metric of every method, the paper's beside ours
    convergence_<model>      loss terms, critic's gap and validation PSNR over the epochs
    severity_<objective>     PSNR and LPIPS by the strength of each degradation
    subgroups_<issue>        the paper's critical issues a to f, by group of images
    examples                 blind images, what each model makes of them, and targets           (pictures of faces)
    steps                    outputs of the three steps                                         (pictures of faces)
    degradations             blind images from mild to strong with their drawn parameters       (pictures of faces)

Every figure is always written, with the reason in it where it could not be drawn; pictures of faces only on request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from blindface.evaluation.paper import PAPER_METRICS
from blindface.params import OBJECTIVES, Objective
from blindface.report.figures import montage
from blindface.report.figures.charts import (
    METRIC_MARGINS,
    SEVERITY_MARGINS,
    SEVERITY_SIZE,
    Limits,
    draw_empty,
    draw_metric,
    draw_severity,
    draw_term,
    limits_of,
    metric_size,
    terms_of,
)
from blindface.report.figures.group_charts import NAMES as GROUP_CHARTS
from blindface.report.figures.group_charts import issue_figure
from blindface.report.figures.style import LINE_MARGINS, LINE_SIZE, add_key, colour, panels, save
from blindface.report.inputs.analysis import Bin, by_strength, join_draws, ranking_metric
from blindface.report.inputs.material import Material
from blindface.report.inputs.scores import find, label_of
from blindface.report.text.groups import read_groups
from blindface.restoration.methods import method_of, objective_of
from blindface.subgroups.draws import DRAWS

PICTURES = ("examples", "steps", "degradations")
"""Names of the figures with pictures of faces."""


def write_figures(material: Material, folder: Path, photographs: bool = True) -> None:
    """Write all figures; without photographs, pictures left by an earlier run are removed."""
    save(metrics_figure(material), folder, "metrics")
    for model in material.models:
        save(convergence_figure(material, model), folder, f"convergence_{model}")
    for objective in OBJECTIVES:
        save(severity_figure(material, objective), folder, f"severity_{objective}")
    groups = read_groups(material.sources.subgroups, material.sources.groups)
    for name in GROUP_CHARTS:
        save(issue_figure(material, groups, name.removeprefix("subgroups_")), folder, name)
    drawn = {"examples": montage.examples, "steps": montage.steps, "degradations": montage.degradations}
    for name, draw in drawn.items():
        if photographs:
            save(draw(material), folder, name)
        else:
            for suffix in (".png", ".svg"):
                (folder / f"{name}{suffix}").unlink(missing_ok=True)


def _empty(title: str, reason: str) -> Figure:
    figure, axes = panels(1, 1, (6, 1.6), LINE_MARGINS)
    draw_empty(axes[0], title, reason)
    return figure


def metrics_figure(material: Material) -> Figure:
    """Six panels, one per metric of the paper's table."""
    methods = material.methods
    figure, axes = panels(len(PAPER_METRICS), 3, metric_size(methods), METRIC_MARGINS, METRICS_CAPTION)
    for panel, metric in zip(axes, PAPER_METRICS, strict=True):
        draw_metric(panel, material.scores, methods, metric, find(material.scores, metric.same, metric.kin))
    return figure


METRICS_CAPTION = "● ours, bar: ± one standard deviation over batches   ◇ the paper's, where the protocol is the same"


def convergence_figure(material: Material, model: str) -> Figure:
    """One panel per term of the history."""
    history = material.history.get(model)
    terms = [] if history is None else terms_of(history)
    if history is None or not terms:
        return _empty(f"Convergence, {model_title(model)}", "no training history was given")
    figure, axes = panels(len(terms), 4, LINE_SIZE, LINE_MARGINS, f"{model_title(model)}: training, a line per step")
    for panel, (term, title) in zip(axes, terms, strict=True):
        draw_term(panel, history, term, title)
    return figure


SIZES = {"objective1": "16×16 to 128×128", "objective2": "128×128"}
"""Sides of the images before and after, by objective."""


def title_of(objective: str) -> str:
    """A title: Objective 1, with its sizes."""
    return f"{objective.capitalize().replace('1', ' 1').replace('2', ' 2')}, {SIZES[objective]}"


def model_title(model: str) -> str:
    """A title: Progressive 1, with its sizes."""
    label = method_of(model).label
    return f"{label[0].upper()}{label[1:]}, {SIZES[objective_of(model)]}"


Lines = dict[str, tuple[str, list[Bin]]]
"""Method -> (its label, its bins)."""


@dataclass(frozen=True)
class Severity:
    """One panel: a metric (its column and its label) by a drawn parameter."""

    parameter: str
    metric: str
    label: str
    lines: Lines
    limits: Limits

    @property
    def key(self) -> list[tuple[str, str]]:
        """Labels and methods of the lines."""
        return [(label, method) for method, (label, _) in self.lines.items()]


def severity_panels(material: Material, objective: Objective) -> Iterator[Severity]:
    """Yield the panels of PSNR, then of LPIPS, for each of the five parameters."""
    methods = [method for method in material.rows(material.per_image) if method.objective == objective]
    draws = material.draws.get(objective)
    if draws is None or not methods:
        return
    frames = {m.name: join_draws(material.per_image[m.name], draws) for m in methods}
    columns = {"psnr": "PSNR (dB)"}
    ranking = ranking_metric(next(iter(frames.values())))
    if ranking is not None and ranking not in columns:
        columns[ranking] = label_of(material.scores, ranking).replace("(", "").replace(")", "")  # titles are narrow
    for metric, label in columns.items():
        if not all(metric in frame for frame in frames.values()):
            continue
        drawn: list[tuple[str, Lines]] = []
        for parameter in DRAWS:
            lines = {m.name: (m.label.split(":")[0], by_strength(frames[m.name], parameter, metric)) for m in methods}
            drawn.append((parameter, lines))
        limits = limits_of(bins for _, lines in drawn for _, bins in lines.values())
        for parameter, lines in drawn:
            yield Severity(parameter, metric, label, lines, limits)


def severity_figure(material: Material, objective: Objective) -> Figure:
    """Rows: PSNR and LPIPS; columns: the five drawn parameters."""
    found = list(severity_panels(material, objective))
    if not found:
        return _empty(f"By degradation, {title_of(objective)}", "no per-image scores or no drawn parameters were given")
    title = f"{title_of(objective)}: means of equal-width bins with 95 % intervals"
    figure, axes = panels(len(found), len(DRAWS), SEVERITY_SIZE, SEVERITY_MARGINS, title)
    add_key(figure, [(label, colour(method)) for label, method in found[0].key])
    for panel, severity in zip(axes, found, strict=True):
        draw_severity(panel, severity.lines, severity.parameter, severity.label, severity.limits)
    return figure
