"""Parameters of the recipes `mean`, `gan` and `flow`, whose networks are U-Nets."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from blindface.params.base import Block, setting
from blindface.params.data import Objective
from blindface.params.recipes import RecipeName, RecipeParams

Widths = Annotated[tuple[Annotated[int, Field(ge=4, le=2048)], ...], Field(min_length=1, max_length=6)]
Counts = Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(min_length=1, max_length=6)]


class UNetRecipeParams(RecipeParams):
    """What the three recipes share."""

    epochs: int = setting(20, "Passes over the training part.", unit="epochs", ge=1, le=100_000)
    batch_size: int = setting(64, "Images per batch, shared by all processes.", unit="images", ge=1, le=4096)
    learning_rate: float = setting(5e-4, "Adam's learning rate.", gt=0, le=1)
    learning_rate_decay: float = setting(
        0.5, "Share of the run, at its end, over which the learning rate falls linearly.", ge=0, le=1
    )
    learning_rate_end: float = setting(0.02, "Share of the learning rate that is left at the end.", ge=0, le=1)
    warm_up: float = setting(0.0, "Epochs over which the learning rate rises from 0.", unit="epochs", ge=0)
    betas: tuple[float, float] = setting((0.9, 0.99), "Adam's exponential decay rates.")
    weight_decay: float = setting(0.0, "Decoupled weight decay (AdamW); 0: Adam.", ge=0, le=1)
    gradient_norm: float = setting(1.0, "Largest norm of the generator's gradient; a longer one is shortened.", gt=0)
    ema: float = setting(
        0.999, "Decay of the exponential moving average of the generator's weights, per batch; 0: none.", ge=0, lt=1
    )
    degradation: Literal["fixed", "fresh"] = setting(
        "fresh", "fresh: a new draw of the degradation at every epoch; fixed: one draw per image."
    )
    flip: bool = setting(True, "Mirror each image with probability one half at every epoch.")

    def batch_size_of(self, objective: Objective) -> int:
        """Images per batch, those of all processes together."""
        return self.batch_size


def _check_levels(channels: tuple[int, ...], blocks: tuple[int, ...]) -> None:
    if len(channels) != len(blocks):
        raise ValueError(f"channels and blocks have one number per level: {list(channels)} and {list(blocks)} do not")
    if channels[-1] % 4:
        raise ValueError(f"the last of channels, {channels[-1]}, must be a multiple of 4, the heads of the attention")


class MeanParams(UNetRecipeParams):
    """The posterior mean: a U-Net trained with the squared error. `gan` and `flow` begin with it."""

    warm_up: float = setting(1.0, "Epochs over which the learning rate rises from 0.", unit="epochs", ge=0)
    weight_decay: float = setting(1e-3, "Decoupled weight decay (AdamW); 0: Adam.", ge=0, le=1)
    channels: Widths = setting((32, 128, 224, 256), "Channels of the U-Net at 128, 64, 32, ... px; `gan` has the same.")
    blocks: Counts = setting((1, 2, 2, 2), "Residual blocks at each of these sizes, on the way down and again up.")
    stem: Literal[1, 2] = setting(
        1, "1: the first of channels is at 128 px; 2: at 64 px, on the pixels of 2x2 side by side, which is faster."
    )

    @model_validator(mode="after")
    def _levels_fit(self) -> MeanParams:
        _check_levels(self.channels, self.blocks)
        return self


class GanObjectiveParams(Block):
    """What an objective weighs in the recipe `gan`."""

    pixel: float = setting(10.0, "Weight of the absolute error.", ge=0)
    perceptual: float = setting(1.0, "Weight of the perceptual loss.", ge=0)
    adversarial: float = setting(0.3, "Weight of the relativistic loss.", ge=0)
    adversarial_ramp: float = setting(
        1.0, "Epochs over which the relativistic loss's weight rises from 0.", unit="epochs", ge=0
    )
    gamma: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = setting(
        (2.0, 0.4), "Weight of the penalties R1 and R2 at the begin and at the end; a cosine between."
    )


class GanParams(UNetRecipeParams):
    """A relativistic GAN that begins with the posterior mean."""

    reads_perceptual: ClassVar[bool] = True
    begins_with: ClassVar[RecipeName | None] = "mean"

    batch_size: int = setting(32, "Images per batch, shared by all processes.", unit="images", ge=1, le=4096)
    learning_rate: float = setting(2e-4, "Adam's learning rate.", gt=0, le=1)
    learning_rate_end: float = setting(0.05, "Share of the learning rate that is left at the end.", ge=0, le=1)
    betas: tuple[float, float] = setting((0.0, 0.99), "Adam's exponential decay rates.")
    gradient_norm: float = setting(5.0, "Largest norm of the generator's gradient; a longer one is shortened.", gt=0)
    discriminator_channels: Widths = setting(
        (128, 256, 384, 512), "Channels of the discriminator at 64, 32, 16, ... px."
    )
    discriminator_blocks: int = setting(1, "Residual blocks of the discriminator at each size.", ge=1, le=8)
    discriminator_expansion: int = setting(1, "Width inside those blocks, as a multiple of that outside.", ge=1, le=4)
    discriminator_group: int | None = setting(
        None, "Channels per group of the blocks' 3x3 convolutions; null: all in one.", ge=1
    )
    penalty_every: int = setting(
        1, "Updates from one use of the penalties to the next, which weighs them as many times more.", ge=1, le=64
    )
    discriminator_rate: float = setting(1.0, "The discriminator's learning rate over the generator's.", gt=0, le=100)
    objective1: GanObjectiveParams = setting(GanObjectiveParams(), "Restore and upscale: 16x16 to 128x128.")
    objective2: GanObjectiveParams = setting(GanObjectiveParams(), "Restore: 128x128 to 128x128.")

    def of(self, objective: Objective) -> GanObjectiveParams:
        """The block of one objective."""
        return self.objective1 if objective == "objective1" else self.objective2


class FlowTrainParams(UNetRecipeParams):
    """A rectified flow from the posterior mean (PMRF)."""

    begins_with: ClassVar[RecipeName | None] = "mean"

    epochs: int = setting(60, "Passes over the training part.", unit="epochs", ge=1, le=100_000)
    warm_up: float = setting(2.0, "Epochs over which the learning rate rises from 0.", unit="epochs", ge=0)
    weight_decay: float = setting(1e-3, "Decoupled weight decay (AdamW); 0: Adam.", ge=0, le=1)
    ema: float = setting(
        0.9995, "Decay of the exponential moving average of the generator's weights, per batch; 0: none.", ge=0, lt=1
    )
    channels: Widths = setting((32, 128, 192, 192), "Channels of the velocity's U-Net at 128, 64, 32, ... px.")
    blocks: Counts = setting((1, 2, 2, 1), "Residual blocks at each of these sizes, on the way down and again up.")
    stem: Literal[1, 2] = setting(
        1, "1: the first of channels is at 128 px; 2: at 64 px, on the pixels of 2x2 side by side, which is faster."
    )
    sigma: float = setting(0.1, "Noise added to the posterior mean, for images in [-1, 1].", gt=0, le=2)
    steps: int = setting(8, "Steps of Euler's method with which the validation restores.", ge=1, le=1000)

    @model_validator(mode="after")
    def _levels_fit(self) -> FlowTrainParams:
        _check_levels(self.channels, self.blocks)
        return self
