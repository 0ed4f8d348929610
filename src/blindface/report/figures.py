"""The figures as files, PNG and SVG, under one folder.

    metrics                  every metric of every method, the paper's beside ours
    convergence_<objective>  loss terms, critic's gap and validation PSNR over the epochs
    severity_<objective>     PSNR and LPIPS by the strength of each degradation
    examples                 blind, restored and target of both objectives and the sequence     (pictures of faces)
    progressive              outputs of the three steps                                         (pictures of faces)
    degradations             blind images from mild to strong with their drawn parameters       (pictures of faces)

Every figure is always written, with the reason in it where it could not be drawn; pictures of faces only on request.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blindface.params import OBJECTIVES, Objective
from blindface.report import montage
from blindface.report.analysis import Bin, by_strength, ranking_metric
from blindface.report.catalogue import DRAWS, METHODS, PAPER_METRICS
from blindface.report.charts import draw_empty, draw_metric, draw_severity, draw_term, terms_of
from blindface.report.material import Material
from blindface.report.style import new_figure, save
from blindface.report.table import find, rows_of

CHARTS = ("metrics", *(f"{kind}_{name}" for kind in ("convergence", "severity") for name in OBJECTIVES))
PICTURES = ("examples", "progressive", "degradations")
"""Names of the figures: without and with pictures of faces."""


def write_figures(material: Material, folder: Path, photographs: bool = True) -> None:
    """Write all figures; without photographs, pictures left by an earlier run are removed."""
    save(metrics_figure(material), folder, "metrics")
    for objective in OBJECTIVES:
        save(convergence_figure(material, objective), folder, f"convergence_{objective}")
        save(severity_figure(material, objective), folder, f"severity_{objective}")
    drawn = {"examples": montage.examples, "progressive": montage.progressive, "degradations": montage.degradations}
    for name, draw in drawn.items():
        if photographs:
            save(draw(material), folder, name)
        else:
            for suffix in (".png", ".svg"):
                (folder / f"{name}{suffix}").unlink(missing_ok=True)


def _grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    figure = new_figure(width, height)
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def metrics_figure(material: Material) -> Figure:
    """Six panels, one per metric of the paper's table."""
    methods = rows_of(material.scores)
    figure, axes = _grid(2, 3, 10.5, 1.3 + 0.55 * len(methods))
    for place, metric in enumerate(PAPER_METRICS):
        name = find(material.scores, metric.same, metric.kin)
        draw_metric(axes[place], material.scores, methods, metric, name)
        if place % 3:
            axes[place].set_yticklabels([])
    figure.supxlabel(METRICS_CAPTION, fontsize=8)
    return figure


METRICS_CAPTION = "● ours, bar: ± one standard deviation over batches   ◇ the paper's, where the protocol is the same"


def convergence_figure(material: Material, objective: Objective) -> Figure:
    """One panel per term of the history."""
    history = material.history.get(objective)
    terms = [] if history is None else terms_of(history)
    if history is None or not terms:
        figure, axes = _grid(1, 1, 6, 2)
        draw_empty(axes[0], f"Convergence, {title_of(objective)}", "no training history was given")
        return figure
    figure, axes = _grid(-(-len(terms) // 3), 3, 10.5, 2.3 * -(-len(terms) // 3))
    for panel, (term, title) in zip(axes, terms, strict=False):
        draw_term(panel, history, term, title)
    for panel in axes[len(terms) :]:
        panel.set_axis_off()
    figure.suptitle(f"{title_of(objective)}: one line per step", x=0.01, ha="left", fontsize=9)
    return figure


def title_of(objective: str) -> str:
    """A title: objective 1, with its sizes."""
    return {"objective1": "Objective 1, 16×16 to 128×128", "objective2": "Objective 2, 128×128"}[objective]


Lines = dict[str, tuple[str, list[Bin]]]


def severity_panels(material: Material, objective: Objective) -> Iterator[tuple[str, str, str, Lines]]:
    """Yield (parameter, metric column, metric label, lines) for PSNR and LPIPS and each of the five parameters."""
    methods = [m for m in METHODS if m.objective == objective and m.name in material.per_image]
    draws = material.draws.get(objective)
    if draws is None or not methods:
        return
    frames = {method.name: material.per_image[method.name] for method in methods}
    columns = {"psnr": "PSNR (dB)"}
    ranking = ranking_metric(next(iter(frames.values())))
    if ranking is not None and ranking not in columns:
        columns[ranking] = ranking.replace("lpips_", "LPIPS, ").replace("psnr_image", "PSNR (dB)")
    for metric, label in columns.items():
        if not all(metric in frame for frame in frames.values()):
            continue
        for parameter in DRAWS:
            lines = {
                m.name: (m.label.split(":")[0], by_strength(frames[m.name], draws, parameter, metric)) for m in methods
            }
            yield parameter, metric, label, lines


def severity_figure(material: Material, objective: Objective) -> Figure:
    """Rows: PSNR and LPIPS; columns: the five drawn parameters."""
    panels = list(severity_panels(material, objective))
    if not panels:
        figure, axes = _grid(1, 1, 6, 2)
        draw_empty(axes[0], f"By degradation, {title_of(objective)}", "no per-image scores or no drawn parameters")
        return figure
    rows = -(-len(panels) // len(DRAWS))
    figure, axes = _grid(rows, len(DRAWS), 13, 2.4 * rows)
    for place, (panel, (parameter, _, label, lines)) in enumerate(zip(axes, panels, strict=True)):
        last = place % len(DRAWS) == len(DRAWS) - 1
        draw_severity(panel, lines, parameter, label if place % len(DRAWS) == 0 else "", ends=last)
    figure.suptitle(
        f"{title_of(objective)}: means of equal-width bins with 95 % intervals", x=0.01, ha="left", fontsize=9
    )
    return figure
