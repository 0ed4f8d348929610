"""Parameters of training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from blindface.params.base import Block, setting
from blindface.params.data import Objective

PerStep = Annotated[
    tuple[
        Annotated[float, Field(ge=0)],
        Annotated[float, Field(ge=0)],
        Annotated[float, Field(ge=0)],
    ],
    Field(min_length=3, max_length=3),
]


class WeightParams(Block):
    """The weight of one loss as a function of the epoch: it grows linearly from `start` and then stays.

    weight(epoch, step) = final[step] * min(1, start + (1 - start) * epoch / ramp), epoch counted from 0 with fractions.
    """

    final: PerStep = setting((0.0, 0.0, 0.0), "Weight at steps 1, 2, 3 after the ramp.")
    start: float = setting(1.0, "Share of the final weight at the first epoch.", ge=0, le=1)
    ramp: float = setting(0.0, "Epochs until the final weight is reached; 0: at once.", unit="epochs", ge=0)


class PenaltyParams(Block):
    """Constraints on the critic."""

    gradient: float = setting(10.0, "lambda of the gradient penalty, equation (2).", ge=0)
    drift: float = setting(0.001, "Weight of the squared critic output, which keeps it near zero.", ge=0)


class PerceptualParams(Block):
    """Features of the perceptual loss, equation (4)."""

    backbone: Literal["vgg19", "vgg19_normalised", "none"] = setting(
        "vgg19", "vgg19: torchvision's (the paper's); vgg19_normalised: up to relu3_1, small; none: no perceptual loss."
    )
    layers: tuple[str, ...] = setting(
        ("relu1_2", "relu2_2", "relu3_2", "relu4_2"), "Layers whose features are compared (mean absolute difference)."
    )


class ObjectiveParams(Block):
    """What differs between the two objectives."""

    batch_size: int = setting(32, "Images per batch, shared by all processes.", unit="images", ge=1, le=4096)
    encoder: Literal["none", "plain", "residual", "unet"] = setting(
        "none",
        "none: the blind image is 16x16; plain: the paper's encoder from 128x128; residual: its future work; "
        "unet: residual, and its features are added to the generator's of the same size.",
    )
    generator_channels: int | None = setting(
        None, "In place of train.generator_channels, for this objective alone.", ge=8, le=2048, multiple_of=8
    )
    refinement_blocks: int = setting(
        0, "Residual blocks of the generator at 128x128, before the last image; the paper's has none.", ge=0, le=16
    )
    initial: str | None = setting(
        None,
        "A generator file of the same encoder and channels, whose averaged weights training begins with; "
        "null: random weights of the seed.",
        min_length=1,
    )
    adversarial: WeightParams = setting(WeightParams(final=(0.5, 0.3, 0.1)), "Weight of the adversarial loss.")
    pixel: WeightParams = setting(WeightParams(final=(100.0, 100.0, 100.0)), "alpha: weight of the absolute error.")
    perceptual: WeightParams = setting(WeightParams(final=(10.0, 10.0, 10.0)), "beta: weight of the perceptual loss.")
    attention: WeightParams = setting(
        WeightParams(final=(0.0, 0.5, 0.25)), "gamma: weight of the landmark attention loss; step 1 has none."
    )
    face_adversarial: WeightParams = setting(
        WeightParams(), "Weight of a second critic's adversarial loss, of the aligned face alone; step 3 only."
    )


class TrainParams(Block):
    """Progressive WGAN-GP training; every batch passes steps 1, 2 and 3."""

    seed: int = setting(2024, "Seed of the initial weights, data order and random interpolates.", ge=0)
    epochs: int = setting(102, "Passes over the training part.", unit="epochs", ge=1, le=100_000)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "auto: the GPU where there is one.")
    precision: Literal["fp32", "tf32", "bf16"] = setting(
        "bf16", "Arithmetic on a GPU (the penalty's norm stays in fp32); on the CPU it is always fp32."
    )
    compile: bool = setting(True, "Compile the steps on a GPU; costs one or two minutes once.")
    cuda_graph: bool = setting(
        True, "Record the work of a batch once and start it by one call, on one GPU, whose kernels then never wait."
    )
    processes: int = setting(
        1, "Processes that share each batch, one per GPU; under torchrun its own number counts.", ge=1, le=64
    )
    batch_statistics: Literal["batch", "process"] = setting(
        "batch",
        "Of several processes: batch norm and the critic's deviation look at the whole batch or each at its own part.",
    )
    deterministic: bool = setting(False, "The same weights to the bit on a rerun on the same machine.")
    generator_channels: int = setting(512, "Channels of the generator at 16x16.", ge=8, le=2048, multiple_of=8)
    discriminator_channels: int = setting(64, "Channels of the discriminator at 128x128.", ge=4, le=512)
    learning_rate: float = setting(0.001, "Adam's learning rate.", gt=0, le=1)
    discriminator_rate: float = setting(
        1.0, "Learning rate of the discriminators, as a multiple of the generator's (Heusel et al. 2017).", gt=0, le=100
    )
    learning_rate_decay: float = setting(
        0.0, "Share of the run, at its end, over which the learning rate falls linearly to zero.", ge=0, le=1
    )
    betas: tuple[float, float] = setting((0.0, 0.99), "Adam's exponential decay rates.")
    ema: float = setting(0.999, "Decay of the generator's moving average per batch; 0: none.", ge=0, lt=1)
    degradation: Literal["fixed", "fresh"] = setting(
        "fixed", "fixed: one draw per image, as in the paper; fresh: a new draw at every epoch."
    )
    flip: bool = setting(False, "Mirror each image with probability one half at every epoch.")
    shift: int = setting(
        0,
        "Move each image by up to so many pixels to each side at every epoch, mirrored at its border; it needs fresh "
        "degradations.",
        unit="pixels of 128x128",
        ge=0,
        le=32,
    )
    penalty: PenaltyParams = setting(PenaltyParams(), "Constraints on the critic.")
    perceptual: PerceptualParams = setting(PerceptualParams(), "Features of the perceptual loss.")
    checkpoint_seconds: float = setting(60.0, "Time between checkpoints.", unit="s", gt=0)
    checkpoints: int = setting(2, "Number of recent checkpoints that are kept.", ge=1, le=100)
    validate_every: int = setting(1, "Epochs between validations.", unit="epochs", ge=1)
    validation_lpips: Literal["squeeze", "none"] = setting(
        "squeeze",
        "LPIPS in the validation, by its small SqueezeNet trunk; it then judges which epoch is best. none: PSNR does.",
    )
    objective1: ObjectiveParams = setting(ObjectiveParams(), "Restore and upscale: 16x16 to 128x128.")
    objective2: ObjectiveParams = setting(
        ObjectiveParams(batch_size=16, encoder="plain"), "Restore: 128x128 to 128x128."
    )

    @model_validator(mode="after")
    def _shifted_images_are_degraded_anew(self) -> TrainParams:
        if self.shift and self.degradation != "fresh":
            raise ValueError(
                f"shift {self.shift} needs degradation fresh: the stored blind images show the targets where they were"
            )
        return self

    def of(self, objective: Objective) -> ObjectiveParams:
        """The block of one objective."""
        return self.objective1 if objective == "objective1" else self.objective2
