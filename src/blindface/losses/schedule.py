"""The weights of the losses as functions of the epoch."""

from __future__ import annotations

from blindface.params.training import WeightParams


def weight_at(weight: WeightParams, step: int, epoch: float) -> float:
    """The weight of a loss: it grows linearly from a share of its final value, then stays.

    w_k(t) = final_k min(1, start + (1 - start) t / ramp); with ramp 0 it is final_k from the beginning.
    step: 1, 2 or 3; epoch: from 0, with fractions.
    """
    final = weight.final[step - 1]
    if weight.ramp == 0 or epoch >= weight.ramp:
        return final
    return final * (weight.start + (1.0 - weight.start) * epoch / weight.ramp)
