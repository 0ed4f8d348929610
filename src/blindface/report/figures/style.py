"""One look for all figures: palette, type, and files whose bytes do not change from run to run."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from blindface.base.files import write_bytes
from blindface.restoration.methods import METHODS, OTHERS

COLOURS = {
    "paper": ("#fdfcfa", "#15181c"),
    "ink": ("#1d2126", "#e9e7e3"),
    "muted": ("#69707a", "#9aa1ab"),
    "line": ("#d9d6d0", "#343a42"),
    **{name: method.colour for name, method in METHODS.items()},
    "other": OTHERS,
    "step1": ("#28797e", "#5fc3c8"),
    "step2": ("#2d66b0", "#7fb2f0"),
    "step3": ("#3a2a78", "#c3b5f5"),
    "good": ("#1c7431", "#6fcf84"),
    "bad": ("#b3261e", "#f2877f"),
}
"""Colours by role, on light and on dark ground; a method of ours is a role of its own."""
PALETTE, DARK = ({role: pair[ground] for role, pair in COLOURS.items()} for ground in (0, 1))

STYLE: Mapping[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.labelcolor": PALETTE["muted"],
    "axes.labelsize": 8.5,
    "axes.edgecolor": PALETTE["line"],
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.xmargin": 0.02,
    "grid.color": PALETTE["line"],
    "grid.linewidth": 0.7,
    "xtick.color": PALETTE["line"],
    "ytick.color": PALETTE["line"],
    "xtick.labelcolor": PALETTE["muted"],
    "ytick.labelcolor": PALETTE["muted"],
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "text.color": PALETTE["ink"],
    "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PALETTE["paper"],
    "savefig.facecolor": PALETTE["paper"],
    "svg.fonttype": "none",
    "svg.hashsalt": "blindface",
    "path.simplify": True,
}


Margins = tuple[float, float, float, float]
"""Room around a panel's axes in inches: left, right, top, bottom."""

LINE_SIZE = (2.8, 1.95)
LINE_MARGINS: Margins = (0.46, 0.56, 0.3, 0.46)
"""For lines over epochs: numbers at the left, labels of the lines at the right."""


def role_of(method: str) -> str:
    """The palette's name for a method: its own, or the one that other people's share."""
    return method if method in METHODS else "other"


def colour(method: str) -> str:
    """The colour of a method; other people's share one."""
    return PALETTE[role_of(method)]


def panels(
    count: int, columns: int, size: tuple[float, float], margins: Margins, title: str = ""
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels of a given size in inches, so many to a row, and its axes.

    Margins are fixed: letting matplotlib find them costs more than drawing. Call it within `rc()`.
    """
    rows, columns = -(-count // columns), min(columns, count)
    head = 0.32 if title else 0.0
    width, height = columns * size[0], rows * size[1] + head
    figure = Figure(figsize=(width, height))
    left, right, top, bottom = margins
    axes = []
    for place in range(count):
        x = place % columns * size[0] + left
        y = height - head - (place // columns + 1) * size[1] + bottom
        box = (x / width, y / height, (size[0] - left - right) / width, (size[1] - top - bottom) / height)
        panel = figure.add_axes(box)
        # fixed places: matplotlib would measure every tick label, three times per drawing, to find them itself
        panel.set_title("", y=1.0)
        panel.xaxis.set_label_coords(0.5, -0.24 / (size[1] - top - bottom))
        panel.yaxis.set_label_coords(0, 0.5)
        axes.append(panel)
    if title:
        figure.text(0.1 / width, 1 - 0.1 / height, title, va="top", fontsize=10.5, fontweight="bold")
    return figure, axes


def add_key(figure: Figure, entries: Sequence[tuple[str, str]]) -> None:
    """Names in their colours (text, colour), at the right of a figure's title.

    Where both do not fit beside each other, the title keeps what stands before its colon.
    """
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    title = next(iter(figure.texts), None)
    width, height = figure.get_size_inches()
    x = width - 0.15
    for text, tint in reversed(entries):
        name = figure.text(x / width, 1 - 0.12 / height, f"● {text}", va="top", ha="right", color=tint, fontsize=9)
        x -= name.get_window_extent(renderer).width / figure.dpi + 0.2
    if title is not None and title.get_window_extent(renderer).x1 / figure.dpi > x:
        title.set_text(title.get_text().partition(":")[0])


def rc() -> Any:
    """The context in which figures are drawn and saved."""
    return matplotlib.rc_context(dict(STYLE))  # type: ignore[arg-type]


def svg_text(figure: Figure, transparent: bool = False) -> str:
    """The figure as SVG, without a date."""
    buffer = io.BytesIO()
    face = "none" if transparent else PALETTE["paper"]
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor=face)
    return buffer.getvalue().decode()


def save(figure: Figure, folder: Path, name: str, dpi: int = 160) -> None:
    """Write NAME.png and NAME.svg; equal figures give equal bytes with the same version of matplotlib."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    write_bytes(folder / f"{name}.png", buffer.getvalue())
    write_bytes(folder / f"{name}.svg", svg_text(figure).encode())


def inline_svg(figure: Figure, prefix: str, label: str) -> str:
    """The figure as an `<svg>` element for the page: transparent, colours by CSS variable, type of the page.

    `prefix` makes the ids unique within the page; `label` is read out in place of the drawing.
    """
    text = svg_text(figure, transparent=True)
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    for name, value in PALETTE.items():
        text = text.replace(value, f"var(--{name})")
    text = re.sub(r"font: ([^;\"]*?)px 'DejaVu Sans'[^;\"]*", r"font-size: \1px", text)
    text = re.sub(r"font: (bold|700) ([^;\"]*?)px 'DejaVu Sans'[^;\"]*", r"font-weight: 650; font-size: \2px", text)
    used = set(re.findall(r"(?:#|url\(#)([\w.-]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", text)
    label = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', rf'<svg viewBox="\1" role="img" aria-label="{label}">', text, count=1
    )
    return re.sub(r"\n\s*", "\n", text)


def set_title(axes: Axes, text: str, left: float) -> None:
    """A panel's title, which begins `left` inches before the axis, flush with the panel's edge."""
    axes.annotate(
        text,
        (0, 1),
        (2 - 72 * left, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=9,
        fontweight="bold",
        annotation_clip=False,
    )


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]], gap: float = 11.0) -> None:
    """Write labels at the right of line ends (x, y, text, colour), moved apart so that none covers another.

    `gap` is the least distance between two labels in points; call it when the limits of the axes are final.
    """
    axes.get_ylim()  # brings the limits up to date, which the transform does not do by itself
    scale = 72.0 / axes.figure.dpi
    placed = sorted(((axes.transData.transform((x, y))[1] * scale, x, y, text, tint) for x, y, text, tint in ends))
    heights = [place[0] for place in placed]
    for _ in range(50):
        for below in range(len(heights) - 1):
            overlap = gap - (heights[below + 1] - heights[below])
            if overlap > 1e-6:
                heights[below] -= overlap / 2
                heights[below + 1] += overlap / 2
    floor = axes.get_window_extent().y0 * scale + 4
    if heights and heights[0] < floor:  # keep clear of the numbers below the axis
        for place in range(len(heights)):
            heights[place] = max(heights[place], floor + place * gap)
    for height, (own, x, y, text, tint) in zip(heights, placed, strict=True):
        axes.annotate(
            text, (x, y), (6, height - own), textcoords="offset points", color=tint, fontsize=8, va="center",
            annotation_clip=False,
        )  # fmt: skip
