"""Which losses a run can use, and why not the others."""

from __future__ import annotations

from pathlib import Path

import torch

from blindface.losses import PerceptualLoss
from blindface.params.training import ObjectiveParams, TrainParams, WeightParams
from blindface.training.recipes.progressive.steps import Losses


def choose_losses(
    params: TrainParams,
    choice: ObjectiveParams,
    weight_file: Path | None,
    missing: str | None,
    faces: int,
    device: torch.device,
) -> tuple[ObjectiveParams, Losses, dict[str, str]]:
    """The objective with the weights of what cannot be computed set to zero, the loss objects, and the reasons by loss.

    weight_file: of the perceptual backbone, or None and why it is `missing`; faces: images with landmarks.
    """
    left_out: dict[str, str] = {}
    perceptual = None
    backbone = params.perceptual.backbone
    if any(choice.perceptual.final):
        if backbone == "none":
            left_out["perceptual"] = "train.perceptual.backbone is none"
        elif weight_file is None:
            left_out["perceptual"] = missing or f"the weights of {backbone} were not given"
        else:
            perceptual = PerceptualLoss(backbone, params.perceptual.layers, weight_file).to(device)
    if any(choice.attention.final) and faces == 0:
        left_out["attention"] = "no image of the training part has landmarks"
    if any(choice.face_adversarial.final) and faces == 0:
        left_out["face_adversarial"] = "no image of the training part has landmarks"
    usable = choice.model_copy(update={name: WeightParams() for name in left_out})
    return usable, Losses(perceptual, params.penalty.gradient, params.penalty.drift), left_out
