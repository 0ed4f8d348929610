"""A drawing of the losses' weights as functions of the epoch: `weights.svg` beside the history, when a run begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from blindface.base.files import atomic_path
from blindface.params import ObjectiveParams
from blindface.training.recipes.progressive.schedule import STEPS, TERMS, weights_at

COLOURS = ("#9a6700", "#1f6feb", "#1a7f37")
"""Of steps 1, 2, 3."""


def weight_curves(choice: ObjectiveParams, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """Epochs (P,) from 0 to the end, and the weights there: (P, 3 steps, 4 losses in the order of TERMS)."""
    ramps = {getattr(choice, name).ramp for name in TERMS}
    places = np.unique([*np.linspace(0, epochs, 201), *(ramp for ramp in ramps if ramp < epochs)])
    return places, np.array([weights_at(choice, float(place)) for place in places])


def draw_weights(choice: ObjectiveParams, epochs: int, path: Path) -> None:
    """Write an SVG with one panel per loss and one line per step; the same parameters give the same bytes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    places, weights = weight_curves(choice, epochs)
    with rc_context({"svg.hashsalt": "weights", "font.size": 8}):
        figure = Figure(figsize=(9, 2.4), layout="constrained")
        panels = figure.subplots(1, len(TERMS))
        for axes, name, curves in zip(panels, TERMS, weights.transpose(2, 1, 0), strict=True):
            for step, colour, width, curve in zip(STEPS, COLOURS, (4.5, 2.7, 1.2), curves, strict=True):
                axes.plot(places, curve, color=colour, linewidth=width, label=f"step {step}")  # equal ones all show
            top = float(curves.max()) * 1.1 or 1.0
            axes.set(title=f"weight of {name}", xlabel="epoch", xlim=(0, epochs), ylim=(0, top))
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside right center")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
