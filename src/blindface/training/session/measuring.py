"""What is measured while a model trains: validation scores and sample grids of its averaged weights.

The leading process of several measures alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from blindface.training.data import ImageSet
from blindface.training.recipes import Recipe
from blindface.training.session.validation import validate, write_samples

if TYPE_CHECKING:
    from blindface.metrics.lpips_distance import Lpips

VALIDATION_BATCH = 32


class Measurer:
    """Measures a recipe's averaged weights.

    images: the training part; validation: the part that scores and samples come from, or None; distance: LPIPS, or
    None.
    """

    def __init__(
        self, recipe: Recipe, images: ImageSet, validation: ImageSet | None, distance: Lpips | None = None
    ) -> None:
        self.recipe, self.images, self.validation, self.distance = recipe, images, validation, distance

    def refresh(self) -> None:
        """Make the averaged weights ready to restore."""
        self.recipe.refresh_ema(self.images.blinds)

    def scores(self) -> list[dict[str, float]]:
        """Validation scores of each step, as columns of the history; empty without a validation part."""
        if self.validation is None:
            return []
        return validate(self.recipe.restore, self.validation, VALIDATION_BATCH, self.distance)

    def write_samples(self, path: Path) -> None:
        """A grid of the same few images every time."""
        write_samples(self.recipe.restore, self.validation if self.validation else self.images, path)


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
