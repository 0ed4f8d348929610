"""What is measured of the averaged generator while it trains: its batch statistics, validation scores, sample grids.

The leading process of several measures alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from blindface.base.images import to_signed
from blindface.networks import Generator, recalibrate
from blindface.training.data import ImageSet
from blindface.training.session.validation import validate, write_samples

if TYPE_CHECKING:
    from blindface.metrics.lpips_distance import Lpips

RECALIBRATION_IMAGES = 2048
VALIDATION_BATCH = 32


class Measurer:
    """Measures one network, the generator with averaged weights.

    images: the training part, on whose first images (in batches of `batch_size`) its batch statistics are measured;
    validation: the part that scores and samples come from, or None; distance: LPIPS, or None.
    """

    def __init__(
        self,
        network: Generator,
        images: ImageSet,
        validation: ImageSet | None,
        batch_size: int,
        distance: Lpips | None = None,
    ) -> None:
        self.network, self.images, self.validation = network, images, validation
        self.batch_size, self.distance = batch_size, distance

    def recalibrate(self) -> None:
        """Measure the batch statistics anew: those of averaged weights are no average of statistics."""
        recalibrate_on(self.network, self.images.blinds, self.batch_size)

    def scores(self) -> list[dict[str, float]]:
        """Validation scores of steps 1, 2, 3, as columns of the history; empty without a validation part."""
        if self.validation is None:
            return []
        return validate(self.network, self.validation, VALIDATION_BATCH, self.distance)

    def write_samples(self, path: Path) -> None:
        """A grid of the same few images every time."""
        write_samples(self.network, self.validation if self.validation else self.images, path)


def recalibrate_on(network: Generator, blinds: Tensor, batch_size: int) -> None:
    """Measure a generator's batch statistics anew on the first whole batches of blind images (N, u, u, 3) uint8."""
    whole = min(len(blinds) // batch_size, max(RECALIBRATION_IMAGES // batch_size, 1))
    starts = range(0, whole * batch_size, batch_size)
    recalibrate(network, (to_signed(blinds[start : start + batch_size]) for start in starts))


def load_distance(weights: Path | None, device: torch.device) -> Lpips | None:
    """LPIPS with the SqueezeNet trunk, small enough to validate with, or None without its weights."""
    if weights is None:
        return None
    from blindface.metrics.lpips_distance import Lpips

    return Lpips("squeeze", weights, device)


def judge(score: dict[str, float], epoch: int) -> dict[str, Any]:
    """What one epoch's scores of the last step amount to, by one metric.

    LPIPS where it is measured: PSNR rewards blur, so that it prefers the first epochs of an adversarial training.
    Returns metric, value, epoch, as the record keeps them of the best one.
    """
    metric = "lpips_squeeze" if "lpips_squeeze" in score else "psnr"
    return {"metric": metric, "value": score[metric], "epoch": epoch}


def is_better(found: dict[str, Any], best: dict[str, Any] | None) -> bool:
    """Whether an epoch is better than the best so far; by another metric than before, it is."""
    if best is None or best["metric"] != found["metric"]:
        return True
    lower: bool = found["value"] < best["value"]
    return lower if found["metric"] == "lpips_squeeze" else found["value"] > best["value"]
