"""Parameters of the recipe `progressive`, the paper's progressive WGAN-GP."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from blindface.params.base import Block, setting
from blindface.params.data import Objective
from blindface.params.recipes import RecipeParams

STEP_SIZES = {1: 32, 2: 64, 3: 128}
"""The side of the generator's output at each of its steps, in px."""
PerStep = Annotated[
    tuple[
        Annotated[float, Field(ge=0)],
        Annotated[float, Field(ge=0)],
        Annotated[float, Field(ge=0)],
    ],
    Field(min_length=len(STEP_SIZES), max_length=len(STEP_SIZES)),
]


class WeightParams(Block):
    """The weight of one loss as a function of the epoch: it grows linearly from `start` and then stays.

    weight(epoch, step) = final[step] * min(1, start + (1 - start) * epoch / ramp), epoch counted from 0 with fractions.
    """

    final: PerStep = setting((0.0, 0.0, 0.0), "Weight at steps 1, 2, 3 after the ramp.")
    start: float = setting(1.0, "Share of the final weight at the first epoch.", ge=0, le=1)
    ramp: float = setting(0.0, "Epochs until the final weight is reached; 0: at once.", unit="epochs", ge=0)


class PenaltyParams(Block):
    """Constraints on the discriminator."""

    gradient: float = setting(10.0, "lambda of the gradient penalty, equation (2).", ge=0)
    drift: float = setting(0.001, "Weight of the squared discriminator output, which keeps it near zero.", ge=0)


class ObjectiveParams(Block):
    """What differs between the two objectives. Every field of type WeightParams is a loss of the generator."""

    batch_size: int = setting(32, "Images per batch, shared by all processes.", unit="images", ge=1, le=4096)
    encoder: Literal["none", "plain", "residual"] = setting(
        "none",
        "none: the blind image is 16x16; plain: the paper's encoder from 128x128; residual: its future work.",
    )
    adversarial: WeightParams = setting(WeightParams(final=(0.5, 0.3, 0.1)), "Weight of the adversarial loss.")
    pixel: WeightParams = setting(WeightParams(final=(100.0, 100.0, 100.0)), "alpha: weight of the absolute error.")
    perceptual: WeightParams = setting(WeightParams(final=(10.0, 10.0, 10.0)), "beta: weight of the perceptual loss.")
    attention: WeightParams = setting(
        WeightParams(final=(0.0, 0.5, 0.25)), "gamma: weight of the landmark attention loss; step 1 has none."
    )


LOSSES = tuple(name for name, field in ObjectiveParams.model_fields.items() if field.annotation is WeightParams)
"""The generator's losses by name, each with a weight in ObjectiveParams."""


def pixel_loss_alone(objective: ObjectiveParams) -> ObjectiveParams:
    """The objective with the weight of every loss but the pixel loss at zero, whatever losses there are."""
    return objective.model_copy(update={name: WeightParams() for name in LOSSES if name != "pixel"})


class ProgressiveParams(RecipeParams):
    """Progressive WGAN-GP training; every batch passes steps 1, 2 and 3."""

    reads_perceptual: ClassVar[bool] = True

    epochs: int = setting(102, "Passes over the training part.", unit="epochs", ge=1, le=100_000)
    learning_rate: float = setting(0.001, "Adam's learning rate.", gt=0, le=1)
    learning_rate_decay: float = setting(
        0.0, "Share of the run, at its end, over which the learning rate falls linearly to zero.", ge=0, le=1
    )
    betas: tuple[float, float] = setting((0.0, 0.99), "Adam's exponential decay rates.")
    ema: float = setting(
        0.999, "Decay of the exponential moving average of the generator's weights, per batch; 0: none.", ge=0, lt=1
    )
    generator_channels: int = setting(512, "Channels of the generator at 16x16.", ge=8, le=2048, multiple_of=8)
    discriminator_channels: int = setting(64, "Channels of the discriminator at 128x128.", ge=4, le=512)
    degradation: Literal["fixed", "fresh"] = setting(
        "fixed", "fixed: one draw per image, as in the paper; fresh: a new draw at every epoch."
    )
    flip: bool = setting(False, "Mirror each image with probability one half at every epoch.")
    penalty: PenaltyParams = setting(PenaltyParams(), "Constraints on the discriminator.")
    batch_statistics: Literal["batch", "process"] = setting(
        "batch",
        "Of several processes: batch norm and the discriminator's deviation look at the whole batch or each process at "
        "its own part.",
    )
    objective1: ObjectiveParams = setting(ObjectiveParams(), "Restore and upscale: 16x16 to 128x128.")
    objective2: ObjectiveParams = setting(
        ObjectiveParams(batch_size=16, encoder="plain"), "Restore: 128x128 to 128x128."
    )

    def of(self, objective: Objective) -> ObjectiveParams:
        """The block of one objective."""
        return self.objective1 if objective == "objective1" else self.objective2

    def batch_size_of(self, objective: Objective) -> int:
        """Images per batch, those of all processes together."""
        return self.of(objective).batch_size
