"""The history of a run: `history.csv`, one row per epoch and step.

| column | meaning | unit |
|---|---|---|
| epoch, step | from 1 | |
| adversarial, pixel, perceptual, attention | generator losses before weighting, mean of the epoch's batches | |
| critic, gap, penalty, drift | critic loss; mean critic output on targets minus on restored; unweighted constraints | |
| generator_gradient, discriminator_gradient | norm of the gradient, mean of the epoch's batches | |
| weight_<loss> | weight of each loss at the end of the epoch | |
| learning_rate | at the end of the epoch | |
| seconds, images_per_second | training alone, without validation | s, images/s |
| gpu_memory_gb | largest allocation so far; empty on a CPU | GB |
| psnr, ssim | validation part, moving average, this step against the target of its size; else empty | dB, 1 |

Losses that are left out stay empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from blindface.errors import TrainingError
from blindface.files import write_text

STEPS = (1, 2, 3)
EXPLODED = 1e8
"""A mean loss or gradient norm above this cannot come back."""


class TermSums:
    """Sums of the terms of an epoch on the device, so that no batch waits for the GPU.

    A NaN or an infinity stays visible in a sum, whenever it is looked at.
    """

    def __init__(self, names: Sequence[str], device: torch.device) -> None:
        self.names = tuple(names)
        self.sums = torch.zeros((len(STEPS), len(self.names)), dtype=torch.float64, device=device)
        self.batches = 0

    def add(self, step: int, terms: Mapping[str, Tensor]) -> None:
        """Add the 0-dimensional terms of one step of one batch."""
        values = torch.stack([terms[name].detach().double() for name in self.names])
        self.sums[step - 1] += values

    def means(self) -> list[dict[str, float]]:
        """Means of the batches so far, per step. Waits for the device."""
        values = (self.sums / max(self.batches, 1)).cpu().tolist()
        return [dict(zip(self.names, row, strict=True)) for row in values]

    def check(self, objective: str, epoch: int) -> None:
        """Stop an exploded run. Waits for the device. Errors: TrainingError naming objective, epoch, step and term."""
        for step, terms in zip(STEPS, self.means(), strict=True):
            for name, value in terms.items():
                if not abs(value) < EXPLODED:
                    raise TrainingError(
                        f"training of {objective} exploded in epoch {epoch + 1}, step {step}: {name} is {value:.3g}. "
                        "The last good checkpoint is kept. Delete the checkpoints and try a lower train.learning_rate, "
                        f"a higher train.penalty.gradient, or a lower or later weight of {name}"
                    )


def write_history(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows as CSV, atomically; the columns are those of all rows, in order of appearance."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    write_text(path, text.getvalue())


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
