"""The history of a run: `history.csv`, one row per epoch and step.

| column | meaning | unit |
|---|---|---|
| epoch, step | from 1; a recipe without progressive steps has step 1 alone | |
| the recipe's own, see below | means of the epoch's batches | |
| weight_<loss> | weight of each loss at the end of the epoch | |
| learning_rate | at the end of the epoch | |
| seconds, images_per_second | training alone, without validation and checkpoints | s, images/s |
| data_wait_seconds | of these, waiting for the epoch's draws and degradations: the device has nothing to do | s |
| gpu_memory_gb | largest allocation so far; empty on a CPU | GB |
| time | when the epoch was over | UTC, ISO format |
| psnr, ssim | validation part, averaged weights, this step against the target of its size; else empty | dB, 1 |
| lpips_squeeze | the same of the last step, over the first 64 images; empty without SqueezeNet's weights | 1 |

Columns of the recipe `progressive`: `adversarial`, `pixel`, `perceptual`, `attention`, the generator's losses before
weighting; `total`, their weighted sum; `critic_gap`, `penalty`, `drift`, the critic's mean output on targets minus on
restored images, and its unweighted constraints; `gradient_norm_<network>`. Losses that are left out stay empty.

Of several processes losses and norms are means over all, seconds and memory those of the leading one.
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
from blindface.training.distributed.processes import Processes

AFTER = (
    *("learning_rate", "seconds", "images_per_second", "data_wait_seconds", "gpu_memory_gb", "time"),
    *("psnr", "ssim", "lpips_squeeze"),
)
"""Columns of every recipe, after epoch, step and the recipe's own."""

EXPLODED = 1e8
"""A mean loss or gradient norm above this does not come back."""


class TermSums:
    """Sums of the terms of an epoch on the device, so that no batch waits for the GPU.

    Updates of different kinds may have different terms: there is a sum and a count per set of names.
    A NaN or an infinity stays visible in a sum, whenever it is looked at.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the scalars of one update, named `<metric>/<step>`."""
        names = tuple(terms)
        values = torch.stack([value.detach() for value in terms.values()]).double()
        self._sums[names] = self._sums[names] + values if names in self._sums else values
        self._counts[names] = self._counts.get(names, 0) + 1

    def means(self) -> dict[str, float]:
        """Means of each term over the updates that had it. Waits for the device."""
        totals: dict[str, float] = {}
        counts: dict[str, int] = {}
        for names, sums in self._sums.items():
            for name, value in zip(names, sums.cpu().tolist(), strict=True):
                totals[name] = totals.get(name, 0.0) + value
                counts[name] = counts.get(name, 0) + self._counts[names]
        return {name: value / counts[name] for name, value in totals.items()}

    def average(self, processes: Processes) -> None:
        """Replace the sums by their means over the processes."""
        self._sums = {names: processes.average(sums) for names, sums in self._sums.items()}

    def check(self, model: str, epoch: int, advice: Mapping[str, str] = {}) -> None:
        """Stop an exploded run. Waits for the device.

        advice: what to try besides, by metric. Errors: TrainingError naming model, epoch, step and term.
        """
        for name, value in self.means().items():
            if not math.isfinite(value) or abs(value) > EXPLODED:
                metric, _, step = name.partition("/")
                raise TrainingError(
                    f"training of {model} exploded in epoch {epoch + 1}, step {step}: {metric} is {value:.3g}. The "
                    "last good checkpoint is kept. Delete the checkpoints and try a lower learning_rate or "
                    + advice.get(metric, f"a lower weight of {metric}" if metric != "total" else "lower weights")
                )

    def record(self) -> list[dict[str, Any]]:
        """What `tensors` leaves out, as plain values."""
        return [{"names": names, "updates": self._counts[names]} for names in self._sums]

    def tensors(self) -> dict[str, Tensor]:
        """The sums, in the order of `record`."""
        return {f"terms.{place}": sums for place, sums in enumerate(self._sums.values())}

    @classmethod
    def of(cls, record: Sequence[Mapping[str, Any]], tensors: Mapping[str, Tensor], device: torch.device) -> TermSums:
        """What `record` and `tensors` gave."""
        result = cls()
        for place, kept in enumerate(record):
            names = tuple(kept["names"])
            result._sums[names] = tensors[f"terms.{place}"].to(device)
            result._counts[names] = kept["updates"]
        return result


def history_rows(
    epoch: int,
    steps: Sequence[int],
    values: Mapping[str, float],
    scores: Sequence[Mapping[str, float]],
    seconds: float,
    images: int,
    device: torch.device,
    waited: float = 0.0,
) -> list[dict[str, Any]]:
    """The rows of one epoch, counted from 1.

    values: terms, rates and weights, named `<column>/<step>` or `<column>`; scores: validation by step, or empty;
    images: trained in `seconds`; waited: of these, for data.
    """
    memory = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    rows = []
    for place, step in enumerate(steps):
        row: dict[str, Any] = {"epoch": epoch, "step": step}
        row |= {name.partition("/")[0]: v for name, v in values.items() if name.partition("/")[2] in ("", str(step))}
        row |= {"seconds": seconds, "images_per_second": images / max(seconds, 1e-9), "data_wait_seconds": waited}
        row |= {"gpu_memory_gb": memory, "time": time, **(scores[place] if scores else {})}
        rows.append(row)
    return rows


def write_history(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write the rows as CSV, atomically; what a row lacks stays empty. columns: the recipe's own."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ("epoch", "step", *columns, *AFTER), restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    write_text(path, text.getvalue())


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
