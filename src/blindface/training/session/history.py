"""The history of a run: `history.csv`, one row per epoch and step.

| column | meaning | unit |
|---|---|---|
| epoch, step | from 1 | |
| adversarial, pixel, perceptual, attention | the generator's losses before weighting, mean of the epoch's batches | |
| total | their weighted sum | |
| critic_gap, penalty, drift | mean critic output on targets minus on restored; its unweighted constraints | |
| face_adversarial, face_critic_gap, face_penalty | the same of the critic of faces | |
| gradient_norm_<network> | mean of the epoch's batches | |
| weight_<loss> | weight of each loss at the end of the epoch | |
| learning_rate | at the end of the epoch | |
| seconds, images_per_second | training alone, without validation and checkpoints | s, images/s |
| data_wait_seconds | of these, waiting for the epoch's draws and degradations: the device has nothing to do | s |
| gpu_memory_gb | largest allocation so far; empty on a CPU | GB |
| time | when the epoch was over | UTC, ISO format |
| psnr, ssim | validation part, averaged weights, this step against the target of its size; else empty | dB, 1 |
| lpips_squeeze | the same of step 3, over the first 64 images; empty without SqueezeNet's weights | 1 |

Of several processes losses and norms are means over all, seconds and memory those of the leading one.

Losses that are left out stay empty.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from blindface.base.errors import TrainingError
from blindface.base.files import write_text
from blindface.training.recipes.progressive.schedule import STEPS, TERMS, StepWeights

COLUMNS = (
    *("epoch", "step", "adversarial", "pixel", "perceptual", "attention", "total", "critic_gap", "penalty", "drift"),
    *("face_adversarial", "face_critic_gap", "face_penalty"),
    *("gradient_norm_generator", "gradient_norm_discriminator", "gradient_norm_face_discriminator"),
    *(f"weight_{name}" for name in TERMS),
    *("learning_rate", "seconds", "images_per_second", "data_wait_seconds", "gpu_memory_gb", "time"),
    *("psnr", "ssim", "lpips_squeeze"),
)

EXPLODED = 1e8
"""A mean loss or gradient norm above this does not come back."""

ADVICE = {
    "critic_gap": "a higher train.penalty.gradient",
    "penalty": "a higher train.penalty.gradient",
    "face_critic_gap": "a higher train.penalty.gradient",
    "face_penalty": "a higher train.penalty.gradient",
    "gradient_norm_face_discriminator": "a higher train.penalty.gradient",
    "drift": "a higher train.penalty.drift",
    "gradient_norm_discriminator": "a higher train.penalty.gradient",
    "adversarial": "a lower or later weight of adversarial",
    "pixel": "a lower weight of adversarial",
}


class TermSums:
    """Sums of the terms of an epoch on the device, so that no batch waits for the GPU.

    A NaN or an infinity stays visible in a sum, whenever it is looked at.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.sums = torch.zeros(0, dtype=torch.float64)
        self.batches = 0

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the scalars of one batch, named `<metric>/<step>`; every batch has the same names."""
        values = torch.stack([value.detach() for value in terms.values()]).double()
        if self.batches == 0:
            self.names, self.sums = tuple(terms), values
        else:
            assert tuple(terms) == self.names, "the terms changed within an epoch"
            self.sums = self.sums + values
        self.batches += 1

    def means(self) -> dict[str, float]:
        """Means of the batches so far. Waits for the device."""
        values = (self.sums / max(self.batches, 1)).cpu().tolist()
        return dict(zip(self.names, values, strict=True))

    def check(self, objective: str, epoch: int) -> None:
        """Stop an exploded run. Waits for the device. Errors: TrainingError naming objective, epoch, step and term."""
        for name, value in self.means().items():
            if not math.isfinite(value) or abs(value) > EXPLODED:
                metric, _, step = name.partition("/")
                raise TrainingError(
                    f"training of {objective} exploded in epoch {epoch + 1}, step {step}: {metric} is {value:.3g}. The "
                    "last good checkpoint is kept. Delete the checkpoints and try a lower train.learning_rate or "
                    + ADVICE.get(metric, f"a lower weight of {metric}" if metric != "total" else "lower weights")
                )


def history_rows(
    epoch: int,
    means: Mapping[str, float],
    weights: StepWeights,
    scores: Sequence[Mapping[str, float]],
    learning_rate: float,
    seconds: float,
    images: int,
    device: torch.device,
    waited: float = 0.0,
) -> list[dict[str, Any]]:
    """The rows of one epoch, counted from 1.

    means: of the terms, named `<metric>/<step>`; scores: validation by step, or empty; images: trained in `seconds`;
    waited: of these, for data.
    """
    memory = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    rows = []
    for place, step in enumerate(STEPS):
        row: dict[str, Any] = {"epoch": epoch, "step": step}
        row |= {name.partition("/")[0]: value for name, value in means.items() if name.endswith(f"/{step}")}
        row |= {f"weight_{name}": value for name, value in zip(TERMS, weights[place], strict=True)}
        row |= {"learning_rate": learning_rate, "seconds": seconds, "images_per_second": images / max(seconds, 1e-9)}
        row |= {"data_wait_seconds": waited, "gpu_memory_gb": memory, "time": time, **(scores[place] if scores else {})}
        rows.append(row)
    return rows


def write_history(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows as CSV with the columns COLUMNS, atomically; what a row lacks stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    write_text(path, text.getvalue())


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
