"""Charts by group of images: a row per group, a point with its interval per method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from blindface.report.figures.charts import draw_empty
from blindface.report.figures.style import LINE_MARGINS, PALETTE, Margins, add_key, colour, panels, set_title
from blindface.report.inputs.material import Material
from blindface.report.inputs.scores import arrow, label_of
from blindface.report.text.groups import DETAIL, Groups, better_of, compared_methods, compared_metrics
from blindface.restoration.methods import method_of
from blindface.subgroups.kinds import ISSUES

MARGINS: Margins = (2.1, 0.2, 0.32, 0.35)
ROW = 0.3
"""Inches per group."""
NAMES = tuple(f"subgroups_{issue}" for issue in ISSUES if len(issue) == 1)
"""Names of the figures, one per issue of the paper."""
CAPTION = (
    "● restored, bar: 95 % interval of the mean; ○ a small group; | the same images before restoring; "
    "dotted: all images"
)


@dataclass(frozen=True)
class Panel:
    """One metric of one kind of groups: its rows of the table, those of all images (`whole`), and the methods drawn."""

    kind: str
    name: str
    title: str
    source: str
    groups: tuple[str, ...]
    rows: pd.DataFrame
    whole: pd.DataFrame
    methods: tuple[str, ...]

    @property
    def size(self) -> tuple[float, float]:
        """Inches of the panel."""
        return 4.6, MARGINS[2] + MARGINS[3] + ROW * len(self.groups)


def panels_of(material: Material, groups: Groups, issue: str) -> Iterator[Panel]:
    """Yield the panels of an issue: PSNR and LPIPS of each kind, or the detail kept of each method."""
    for kind in groups.notes["kinds"]:
        rows = groups.of(kind)
        if kind["issue"] != issue or rows.empty:
            continue
        if issue == "f":
            yield from _detail(kind, rows)
            continue
        methods = tuple(compared_methods(groups))
        names = tuple(name for name in kind["groups"] if (rows["group"] == name).any())
        for metric in compared_metrics(groups):
            label = f"{short(kind['title'])}: {label_of(material.scores, metric)}"
            whole = groups.table[(groups.table["issue"] == "all") & (groups.table["metric"] == metric)]
            title = f"{label} {arrow(better_of(material, metric))}"
            here = rows[rows["metric"] == metric]
            yield Panel(kind["kind"], f"{kind['kind']}-{metric}", title, kind["source"], names, here, whole, methods)


def short(title: str) -> str:
    """A kind's title without what is said elsewhere."""
    return title.replace(", as the file names it", "")


def _detail(kind: dict[str, Any], rows: pd.DataFrame) -> Iterator[Panel]:
    titles = {
        "detail_octaves": "Detail kept, octaves (0 is the target's)",
        "detail_below_half": "Share keeping below ½",
    }
    methods = list(dict.fromkeys(rows["method"]))
    for metric in DETAIL:
        if metric in titles:
            here = rows[rows["metric"] == metric]
            here = here.assign(group=[method_of(name).label for name in here["method"]])
            labels = tuple(method_of(name).label for name in methods)
            name, source = f"detail-{metric}", f"{kind['source']}; {kind['rule']}"
            yield Panel("detail", name, titles[metric], source, labels, here, here.iloc[:0], tuple(methods))


def draw_panel(axes: Axes, panel: Panel) -> None:
    """Draw one panel: groups from top to bottom, the methods of a group a little below each other."""
    shifts = _shifts(panel)
    for method in panel.methods:
        whole = panel.whole[panel.whole["method"] == method]
        if len(whole) and len(panel.groups) > 1:
            axes.axvline(float(whole["mean"].iloc[0]), color=colour(method), linewidth=0.8, linestyle=":", alpha=0.7)
        mine = panel.rows[panel.rows["method"] == method].set_index("group")
        for place, group in enumerate(panel.groups):
            if group in mine.index:
                _mark(axes, mine.loc[group], place + shifts[method], colour(method))
    set_title(axes, panel.title, MARGINS[0])
    counts = panel.rows.groupby("group")["n"].max()
    axes.set_yticks(range(len(panel.groups)), [f"{name}  ({counts[name]:,})" for name in panel.groups])
    axes.tick_params(axis="y", labelcolor=PALETTE["ink"])
    axes.set_ylim(len(panel.groups) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", visible=True)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.margins(x=0.06)


def _shifts(panel: Panel) -> dict[str, float]:
    """How far each method lies from the middle of its group's row; none where a row belongs to one method."""
    if panel.name.startswith("detail-") or len(panel.methods) == 1:
        return dict.fromkeys(panel.methods, 0.0)
    step = 0.44 / (len(panel.methods) - 1)
    return {method: -0.22 + step * place for place, method in enumerate(panel.methods)}


def _mark(axes: Axes, row: pd.Series, height: float, tint: str) -> None:
    if pd.notna(row["low"]):
        axes.plot([row["low"], row["high"]], [height, height], color=tint, linewidth=2.4, alpha=0.45)
    face = PALETTE["paper"] if row["small"] else tint
    axes.plot(row["mean"], height, "o", markersize=5, markerfacecolor=face, markeredgecolor=tint, zorder=3)
    if pd.notna(row["gain"]) and not str(row["metric"]).startswith("detail"):
        axes.plot(row["mean"] - row["gain"], height, "|", markersize=7, markeredgecolor=PALETTE["blind1"], zorder=2)


def key_of(groups: Groups) -> list[tuple[str, str]]:
    """Labels and colours of the compared methods."""
    return [(method_of(name).label, colour(name)) for name in compared_methods(groups)]


def issue_figure(material: Material, groups: Groups | None, issue: str) -> Figure:
    """The panels of one issue, those of a kind beside each other, their sources named below; call it within `rc()`."""
    title = f"({issue}) {ISSUES[issue]}"
    found = list(panels_of(material, groups, issue)) if groups is not None else []
    if groups is None or not found:
        figure, axes = panels(1, 1, (6, 1.6), LINE_MARGINS)
        draw_empty(axes[0], title, _reason(groups, issue))
        return figure
    rows = [[panel for panel in found if panel.kind == kind] for kind in dict.fromkeys(panel.kind for panel in found)]
    sources = [f"{row[0].title.rpartition(':')[0] or row[0].title}: {row[0].source}" for row in rows]
    figure, axes = _stacked(rows, title, foot=0.16 * len(sources) + 0.15)
    if issue != "f":
        add_key(figure, key_of(groups))
    width, height = figure.get_size_inches()
    for place, text in enumerate(reversed(sources)):
        figure.text(0.1 / width, (0.1 + 0.16 * place) / height, text, fontsize=7.5, color=PALETTE["muted"])
    for own, panel in zip(axes, [panel for row in rows for panel in row], strict=True):
        draw_panel(own, panel)
    return figure


def _stacked(rows: Sequence[Sequence[Panel]], title: str, foot: float) -> tuple[Figure, list[Axes]]:
    """A figure of rows of panels, each row as high as its groups need, and the axes in order."""
    head, wide = 0.32, rows[0][0].size[0]
    width, height = wide * max(map(len, rows)), head + foot + sum(row[0].size[1] for row in rows)
    figure = Figure(figsize=(width, height))
    left, right, top, bottom = MARGINS
    axes, y = [], height - head
    for row in rows:
        tall = row[0].size[1]
        y -= tall
        for place in range(len(row)):
            box = (place * wide + left, y + bottom, wide - left - right, tall - top - bottom)
            panel = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
            panel.set_title("", y=1.0)  # a fixed place, as in `style.panels`
            axes.append(panel)
    figure.text(0.1 / width, 1 - 0.1 / height, title, va="top", fontsize=10.5, fontweight="bold")
    return figure, axes


def _reason(groups: Groups | None, issue: str) -> str:
    if groups is None:
        return "no metrics by group were given"
    reasons: Sequence[str] = [kind["unavailable"] for kind in groups.notes["kinds"] if kind["issue"] == issue]
    return "; ".join(dict.fromkeys(f"n/a: {reason}" for reason in reasons if reason)) or "no image was grouped so"
