"""Which losses a training can use, and why not the others."""

from __future__ import annotations

from dataclasses import dataclass, field

from blindface.losses import AttentionLoss, GradientPenalty, PerceptualLoss, PixelLoss
from blindface.params.progressive import ObjectiveParams, ProgressiveParams, WeightParams
from blindface.training.recipes.base import Setup


@dataclass(frozen=True)
class Losses:
    """The loss objects and the discriminator's constraints. perceptual: None if its weights are all zero."""

    perceptual: PerceptualLoss | None
    penalty: float = 10.0
    drift: float = 0.001
    pixel: PixelLoss = field(default_factory=PixelLoss)
    attention: AttentionLoss = field(default_factory=AttentionLoss)
    gradient_penalty: GradientPenalty = field(default_factory=GradientPenalty)


def choose_losses(setup: Setup, params: ProgressiveParams) -> tuple[ObjectiveParams, Losses, dict[str, str]]:
    """The objective with the weights of what cannot be computed set to zero, the loss objects, and the reasons by loss.

    On the meta device, where nothing is computed, the perceptual loss needs no weight file.
    """
    left_out: dict[str, str] = {}
    perceptual = None
    objective, chosen = params.of(setup.objective), setup.params.perceptual
    if any(objective.perceptual.final):
        if chosen.backbone == "none":
            left_out["perceptual"] = "train.perceptual.backbone is none"
        elif setup.perceptual is None and setup.device.type != "meta":
            left_out["perceptual"] = setup.perceptual_missing or f"the weights of {chosen.backbone} were not given"
        else:
            perceptual = PerceptualLoss(chosen.backbone, chosen.layers, setup.perceptual).to(setup.device)
    if any(objective.attention.final) and setup.faces == 0:
        left_out["attention"] = "no image of the training part has landmarks"
    usable = objective.model_copy(update={name: WeightParams() for name in left_out})
    return usable, Losses(perceptual, params.penalty.gradient, params.penalty.drift), left_out
