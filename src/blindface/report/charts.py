"""Single charts: each draws one panel on given axes, for the figures and for the page alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from blindface.report.analysis import SMALL, Bin
from blindface.report.catalogue import DRAWS, PAPER_VALUES, Method, PaperMetric
from blindface.report.material import numeric
from blindface.report.scores import Scores, arrow
from blindface.report.style import PALETTE, colour, label_ends

STEP_SIZES = {1: "32 px", 2: "64 px", 3: "128 px"}

TERMS = {
    "psnr": "Validation PSNR (dB)",
    "gap": "Critic's gap, real − restored",
    "penalty": "Gradient penalty",
    "adversarial": "Adversarial loss",
    "pixel": "Pixel loss",
    "perceptual": "Perceptual loss",
    "attention": "Attention loss",
}
"""Columns of the history that are drawn, in this order, with their titles."""


def draw_empty(axes: Axes, title: str, reason: str) -> None:
    """A panel that says why it is empty."""
    axes.set_title(title)
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=PALETTE["muted"], wrap=True)


def draw_term(axes: Axes, history: pd.DataFrame, term: str, title: str) -> None:
    """One column of the history over the epochs, a line per step, labelled at its end."""
    ends = []
    for step, part in history.groupby("step"):
        values, epochs = numeric(part, term), numeric(part, "epoch")
        there = np.isfinite(values)
        if not there.any() or (term == "attention" and not np.nanmax(np.abs(values))):
            continue
        tint = PALETTE.get(f"step{step}", PALETTE["ink"])
        axes.plot(epochs[there], values[there], color=tint, marker="o" if there.sum() < 15 else None, markersize=3)
        ends.append(
            (float(epochs[there][-1]), float(values[there][-1]), STEP_SIZES.get(int(step), f"step {step}"), tint)
        )
    axes.set_title(title)
    axes.set_xlabel("epoch")
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


def draw_severity(
    axes: Axes, lines: Mapping[str, tuple[str, Sequence[Bin]]], parameter: str, metric: str, ends: bool = True
) -> None:
    """A metric by the strength of one degradation: `lines` maps methods to (label, bins); bands are 95 % intervals.

    Hollow points stand for few images. The side of the stronger degradation is marked below the axis.
    """
    labels = []
    for method, (label, bins) in lines.items():
        if not bins:
            continue
        centres = [part.centre for part in bins]
        means = [part.mean for part in bins]
        tint = colour(method)
        axes.fill_between(centres, [b.low95 for b in bins], [b.high95 for b in bins], color=tint, alpha=0.16, lw=0)
        axes.plot(centres, means, color=tint)
        for part in bins:
            face = PALETTE["paper"] if part.count < SMALL else tint
            axes.plot([part.centre], [part.mean], "o", markersize=4.2, markerfacecolor=face, markeredgecolor=tint)
        labels.append((centres[-1], means[-1], label, tint))
    symbol, meaning, rising = DRAWS[parameter]
    axes.set_title(f"{symbol}, {meaning}")
    axes.set_xlabel("stronger →" if rising else "← stronger")
    axes.set_ylabel(metric)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=parameter in ("k", "s", "q")))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    if ends:
        label_ends(axes, labels)


def draw_metric(
    axes: Axes, scores: Mapping[str, Scores], methods: Sequence[Method], metric: PaperMetric, name: str | None
) -> None:
    """One metric of all methods as points with a bar of ± one deviation over batches; the paper's as hollow diamonds.

    The paper's values are drawn only where our metric follows the same protocol.
    """
    comparable = name is None or name in metric.same
    for place, method in enumerate(methods):
        if comparable and method.name in PAPER_VALUES:
            value = PAPER_VALUES[method.name][metric.name].mean
            axes.plot(
                value, place, "D", markersize=6.5, markerfacecolor="none", markeredgecolor=PALETTE["ink"], zorder=3
            )
        entry = scores[method.name].metrics.get(name) if method.name in scores and name else None
        if entry is None or entry.value is None:
            axes.annotate(
                "n/a", (0, place), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                color=PALETTE["muted"], fontsize=8, va="center",
            )  # fmt: skip
            continue
        if entry.batch_std:
            axes.plot([entry.value - entry.batch_std, entry.value + entry.batch_std], [place, place], color=colour(method.name), lw=2.6, alpha=0.45)  # fmt: skip
        axes.plot(entry.value, place, "o", markersize=6.5, color=colour(method.name), zorder=2)
    label = metric.label
    if name is not None:
        label = next((s.metrics[name].label for s in scores.values() if name in s.metrics), label)
    axes.set_title(f"{label} {arrow(metric.better)}")
    axes.set_yticks(range(len(methods)), [method.label for method in methods])
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", visible=True)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.margins(x=0.12)
