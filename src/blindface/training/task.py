"""What a training run is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from blindface.params import Objective, PairsParams, TrainParams
from blindface.params.recipes import RecipeName, RecipeParams, model_name
from blindface.training.distributed.processes import ALONE, Processes


@dataclass(frozen=True)
class TrainFiles:
    """What is read: targets, the pairs of both parts, landmarks, and weights or why not.

    perceptual: of the perceptual loss's backbone; lpips: of SqueezeNet, the trunk of the validation's LPIPS; begin: the
    generator file of the model that a recipe begins with (`begins_with`).
    """

    targets: Path
    train: Path
    validation: Path | None = None
    landmarks: Path | None = None
    perceptual: Path | None = None
    perceptual_missing: str | None = None
    lpips: Path | None = None
    lpips_missing: str | None = None
    begin: Path | None = None


@dataclass(frozen=True)
class Task:
    """One model to train: parameters, recipe, objective, the degradation for fresh draws, files, output, device.

    processes: this one among those that train together.
    """

    params: TrainParams
    recipe: RecipeName
    objective: Objective
    pairs: PairsParams
    files: TrainFiles
    output: Path
    device: torch.device
    processes: Processes = ALONE

    @property
    def model(self) -> str:
        """The model's name, such as `progressive1`."""
        return model_name(self.recipe, self.objective)

    @property
    def block(self) -> RecipeParams:
        """The recipe's own block of parameters."""
        return self.params.of(self.recipe)

    @property
    def batch_size(self) -> int:
        """Images per batch, those of all processes together."""
        return self.block.batch_size_of(self.objective)
