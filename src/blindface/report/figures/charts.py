"""Single charts: each draws one panel on given axes, for the figures and for the page alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from blindface.base.images import SIZE
from blindface.evaluation.paper import PAPER_VALUES, PaperMetric
from blindface.params.progressive import STEP_SIZES
from blindface.report.figures.style import LINE_MARGINS, PALETTE, Margins, colour, label_ends, set_title
from blindface.report.inputs.analysis import SMALL, Bin
from blindface.report.inputs.material import numeric
from blindface.report.inputs.scores import Scores, arrow
from blindface.restoration.methods import Method, method_of
from blindface.subgroups.draws import DRAWS

TERMS = {
    "psnr": "Validation PSNR (dB)",
    "critic_gap": "Critic's gap, real − restored",
    "penalty": "Gradient penalty",
    "adversarial": "Adversarial loss",
    "pixel": "Pixel loss",
    "perceptual": "Perceptual loss",
    "attention": "Attention loss",
    "face_adversarial": "Adversarial loss of faces",
    "face_critic_gap": "Face critic's gap, real − restored",
}
"""Columns of the history that are drawn, in this order, with their titles."""


def draw_empty(axes: Axes, title: str, reason: str) -> None:
    """A panel that says why it is empty."""
    set_title(axes, title, LINE_MARGINS[0])
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=PALETTE["muted"], wrap=True)


def _size(step: int) -> str:
    return f"{STEP_SIZES[step]} px" if step in STEP_SIZES else f"step {step}"


def draw_term(axes: Axes, history: pd.DataFrame, term: str, title: str) -> None:
    """One column of the history over the epochs, a line per step, labelled at its end."""
    ends = []
    several = history["step"].nunique() > 1
    for step, part in history.groupby("step"):
        values, epochs = numeric(part, term), numeric(part, "epoch")
        there = np.isfinite(values)
        if not there.any() or (term == "attention" and not np.nanmax(np.abs(values))):
            continue
        tint = PALETTE.get(f"step{step}", PALETTE["ink"])
        axes.plot(epochs[there], values[there], color=tint, marker="o" if there.sum() < 15 else None, markersize=3)
        ends.append(
            (float(epochs[there][-1]), float(values[there][-1]), _size(int(step)) if several else f"{SIZE} px", tint)
        )
    set_title(axes, title, LINE_MARGINS[0])
    axes.set_xlabel("epoch")
    epochs = np.unique(numeric(history, "epoch"))
    if len(epochs) < 3:
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        axes.set_xticks(epochs, [f"{epoch:.0f}" for epoch in epochs])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    label_ends(axes, ends)


def terms_of(history: pd.DataFrame) -> list[tuple[str, str]]:
    """The terms that this history has numbers for, with their titles."""
    return [
        (term, title)
        for term, title in TERMS.items()
        if term in history and np.isfinite(numeric(history, term)).any() and np.nanmax(np.abs(numeric(history, term)))
    ]


Limits = tuple[float, float]

SEVERITY_MARGINS: Margins = (0.46, 0.1, 0.3, 0.46)
SEVERITY_SIZE = (2.3, 1.9)


def limits_of(lines: Iterable[Sequence[Bin]]) -> Limits:
    """Limits of an axis that shows all means, and the bands as far as they do not dwarf them."""
    bins = [part for line in lines for part in line]
    means = [part.mean for part in bins]
    room = 0.35 * (max(means) - min(means)) or 0.1 * abs(means[0]) or 1.0
    low = max(min(part.low95 for part in bins), min(means) - room)
    high = min(max(part.high95 for part in bins), max(means) + room)
    edge = 0.06 * (high - low) or room
    return low - edge, high + edge


def draw_severity(
    axes: Axes, lines: Mapping[str, tuple[str, Sequence[Bin]]], parameter: str, metric: str, limits: Limits
) -> None:
    """A metric by the strength of one degradation: `lines` maps methods to (label, bins); bands are 95 % intervals.

    Hollow points stand for few images. The side of the stronger degradation is marked below the axis. `limits` are
    those of the metric, so that the panels of one metric can be compared.
    """
    for method, (_, bins) in lines.items():
        if not bins:
            continue
        centres = [part.centre for part in bins]
        means = [part.mean for part in bins]
        tint = colour(method)
        aside = (
            method_of(method).baseline and method_of(method).restores
        )  # thinner, without a band: fewer lines to read
        if not aside:
            axes.fill_between(centres, [b.low95 for b in bins], [b.high95 for b in bins], color=tint, alpha=0.16, lw=0)
        axes.plot(centres, means, color=tint, linewidth=0.9 if aside else None)
        faces = [PALETTE["paper"] if part.count < SMALL else tint for part in bins]
        axes.scatter(centres, means, s=7 if aside else 17, c=faces, edgecolors=tint, linewidths=1, zorder=3)
    symbol, meaning, rising = DRAWS[parameter]
    set_title(axes, f"{metric} by {meaning}", SEVERITY_MARGINS[0])
    axes.set_xlabel(f"{symbol}   (stronger →)" if rising else f"(← stronger)   {symbol}")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=parameter in ("k", "s", "q")))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(*limits)


def draw_metric(
    axes: Axes, scores: Mapping[str, Scores], methods: Sequence[Method], metric: PaperMetric, name: str | None
) -> None:
    """One metric of all methods as points with a bar of ± one deviation over batches; the paper's as hollow diamonds.

    Beside the point of a number of some images stands of how many. The paper's values are drawn only where our metric
    follows the same protocol.
    """
    comparable = name is None or name in metric.same
    for place, method in enumerate(methods):
        if comparable and method.name in PAPER_VALUES:
            _point(axes, PAPER_VALUES[method.name][metric.name].mean, place, "D", PALETTE["ink"])
        entry = scores[method.name].metrics.get(name) if method.name in scores and name else None
        if entry is None or entry.value is None:
            where = axes.get_yaxis_transform()
            axes.text(0.02, place, "n/a", transform=where, color=PALETTE["muted"], fontsize=8, va="center")
            continue
        if entry.batch_std:
            ends = [entry.value - entry.batch_std, entry.value + entry.batch_std]
            axes.plot(ends, [place, place], color=colour(method.name), linewidth=2.6, alpha=0.45)
        _point(axes, entry.value, place, "o", colour(method.name))
        if entry.partial:
            axes.annotate(
                entry.of_images,
                (entry.value, place),
                (7, 0),
                textcoords="offset points",
                color=PALETTE["muted"],
                fontsize=7,
                va="center",
            )
    label = metric.label
    if name is not None and not comparable:
        label = next((s.metrics[name].label for s in scores.values() if name in s.metrics), label)
    set_title(axes, f"{label} {arrow(metric.better)}", METRIC_MARGINS[0])
    axes.set_yticks(range(len(methods)), [method.label for method in methods])
    axes.tick_params(axis="y", labelcolor=PALETTE["ink"])
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", visible=True)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.margins(x=0.12)


def _point(axes: Axes, value: float, place: int, marker: str, tint: str) -> None:
    face = "none" if marker == "D" else tint
    axes.plot(value, place, marker, markersize=6.5, markerfacecolor=face, markeredgecolor=tint, zorder=3)


METRIC_MARGINS: Margins = (1.4, 0.2, 0.32, 0.35)


def metric_size(methods: Sequence[Method]) -> tuple[float, float]:
    """Inches of a panel of `draw_metric`."""
    return 4.2, METRIC_MARGINS[2] + METRIC_MARGINS[3] + 0.27 * len(methods)
