"""One look for all figures: palette, type, and files whose bytes do not change from run to run."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blindface.files import write_bytes

PALETTE = {
    "paper": "#fdfcfa",
    "ink": "#1d2126",
    "muted": "#69707a",
    "line": "#d9d6d0",
    "blind": "#8b9099",
    "objective1": "#2c64a6",
    "objective2": "#b3590e",
    "sequence": "#1a7a6d",
    "other": "#7c4d9e",
    "step1": "#93b7dd",
    "step2": "#4d88c4",
    "step3": "#173f70",
}
"""Colours by role. The page gives each of them a second value for dark backgrounds, by name."""

STYLE: Mapping[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": PALETTE["ink"],
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


def colour(method: str) -> str:
    """The colour of a method; blind inputs are grey, methods of others share one colour."""
    if method in ("blind1", "blind2"):
        return PALETTE["blind"]
    return PALETTE.get(method, PALETTE["other"])


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches; call it within `rc()`."""
    return Figure(figsize=(width, height), layout="constrained")


def rc() -> Any:
    """The context in which figures are drawn and saved."""
    return matplotlib.rc_context({**STYLE})


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


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]], gap: float = 11.0) -> None:
    """Write labels at the right of line ends (x, y, text, colour), moved apart so that none covers another.

    `gap` is the least distance between two labels in points; call it when the limits of the axes are final.
    """
    axes.figure.draw_without_rendering()  # settles the layout, so that points can be computed
    scale = 72.0 / axes.figure.dpi
    placed = sorted(((axes.transData.transform((x, y))[1] * scale, x, y, text, tint) for x, y, text, tint in ends))
    heights = [place[0] for place in placed]
    for _ in range(50):
        for below in range(len(heights) - 1):
            overlap = gap - (heights[below + 1] - heights[below])
            if overlap > 1e-6:
                heights[below] -= overlap / 2
                heights[below + 1] += overlap / 2
    for height, (own, x, y, text, tint) in zip(heights, placed, strict=True):
        axes.annotate(
            text, (x, y), (6, height - own), textcoords="offset points", color=tint, fontsize=8, va="center",
            annotation_clip=False,
        )  # fmt: skip
