"""The weights of the losses as functions of the epoch."""

from __future__ import annotations

from collections.abc import Mapping

from blindface.params.progressive import LOSSES, STEP_SIZES, ObjectiveParams, WeightParams

STEPS = tuple(STEP_SIZES)
StepWeights = tuple[Mapping[str, float], ...]
"""For steps 1, 2, 3 the weight of each loss by name."""


def weight_at(weight: WeightParams, step: int, epoch: float) -> float:
    """The weight of a loss: it grows linearly from a share of its final value, then stays.

    w_k(t) = final_k min(1, start + (1 - start) t / ramp); with ramp 0 it is final_k from the beginning.
    step: 1, 2 or 3; epoch: from 0, with fractions.
    """
    final = weight.final[step - 1]
    if weight.ramp == 0 or epoch >= weight.ramp:
        return final
    return final * (weight.start + (1.0 - weight.start) * epoch / weight.ramp)


def weights_at(objective: ObjectiveParams, epoch: float) -> StepWeights:
    """The weights of all losses at all steps at an epoch (from 0, with fractions)."""
    return tuple({name: weight_at(getattr(objective, name), step, epoch) for name in LOSSES} for step in STEPS)


def final_weights(objective: ObjectiveParams) -> StepWeights:
    """The weights after all ramps; a zero says that the loss is never computed at that step."""
    return weights_at(objective, float("inf"))
