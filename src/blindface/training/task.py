"""What a training run is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from blindface.params import Objective, ObjectiveParams, PairsParams, TrainParams
from blindface.training.distributed.processes import ALONE, Processes


@dataclass(frozen=True)
class TrainFiles:
    """What is read: targets, the pairs of both parts, landmarks, and weights or why not.

    perceptual: of the perceptual loss's backbone; lpips: of SqueezeNet, the trunk of the validation's LPIPS.
    """

    targets: Path
    train: Path
    validation: Path | None = None
    landmarks: Path | None = None
    perceptual: Path | None = None
    perceptual_missing: str | None = None
    lpips: Path | None = None
    lpips_missing: str | None = None


@dataclass(frozen=True)
class Task:
    """One objective to train: parameters, the degradation for fresh draws, files, the output folder, the device.

    processes: this one among those that train together.
    """

    params: TrainParams
    objective: Objective
    pairs: PairsParams
    files: TrainFiles
    output: Path
    device: torch.device
    processes: Processes = ALONE

    @property
    def choice(self) -> ObjectiveParams:
        """The objective's own block."""
        return self.params.of(self.objective)


def learning_rate_at(params: TrainParams, epoch: float) -> float:
    """The learning rate at an epoch (from 0, with fractions): constant, then linearly towards zero at the end."""
    if params.learning_rate_decay == 0:
        return params.learning_rate
    left = (params.epochs - epoch) / (params.learning_rate_decay * params.epochs)
    return params.learning_rate * min(1.0, left)
