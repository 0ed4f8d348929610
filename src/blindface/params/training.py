"""Parameters of training: what all recipes share, and one block per recipe."""

from __future__ import annotations

from typing import Any, Literal, cast

from blindface.params.base import Block, setting
from blindface.params.data import OBJECTIVES, Objective
from blindface.params.progressive import ProgressiveParams
from blindface.params.recipes import RECIPES, RecipeName, RecipeParams
from blindface.params.unet import FlowTrainParams, GanParams, MeanParams


class PerceptualParams(Block):
    """Features of the perceptual loss, equation (4)."""

    backbone: Literal["vgg19", "vgg19_normalised", "none"] = setting(
        "vgg19", "vgg19: torchvision's (the paper's); vgg19_normalised: up to relu3_1, small; none: no perceptual loss."
    )
    layers: tuple[str, ...] = setting(
        ("relu1_2", "relu2_2", "relu3_2", "relu4_2"), "Layers whose features are compared (mean absolute difference)."
    )


EXECUTION = ("processes", "checkpoint_seconds", "checkpoints")
"""Keys of how a training is carried out: a change of them reruns nothing."""


class TrainParams(Block):
    """Training: keys that all recipes share, and a block per recipe. A model is a recipe's of an objective."""

    recipes: tuple[RecipeName, ...] = setting(
        ("progressive",), "Recipes whose models are made, of both objectives.", min_length=1
    )
    seed: int = setting(2024, "Seed of the initial weights, data order and random numbers of each batch.", ge=0)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "auto: the GPU where there is one.")
    precision: Literal["fp32", "tf32", "bf16"] = setting(
        "bf16", "Arithmetic on a GPU (losses and norms stay in fp32); on the CPU it is always fp32."
    )
    compile: bool = setting(True, "Compile the updates on a GPU; costs one or two minutes once.")
    cuda_graph: bool = setting(
        True, "Record the work of a batch once and start it by one call, on one GPU, whose kernels then never wait."
    )
    processes: int = setting(
        1, "Processes that share each batch, one per GPU; under torchrun its own number counts.", ge=1, le=64
    )
    deterministic: bool = setting(False, "The same weights to the bit on a rerun on the same machine.")
    perceptual: PerceptualParams = setting(PerceptualParams(), "Features of the perceptual loss.")
    checkpoint_seconds: float = setting(60.0, "Time between checkpoints.", unit="s", gt=0)
    checkpoints: int = setting(2, "Number of recent checkpoints that are kept.", ge=1, le=100)
    validate_every: int = setting(1, "Epochs between validations.", unit="epochs", ge=1)
    validation_lpips: Literal["squeeze", "none"] = setting(
        "squeeze",
        "LPIPS in the validation, by its small SqueezeNet trunk; it then judges which epoch is best. none: PSNR does.",
    )
    progressive: ProgressiveParams = setting(ProgressiveParams(), "The paper's progressive WGAN-GP.")
    mean: MeanParams = setting(MeanParams(), "The posterior mean: a U-Net and the squared error.")
    gan: GanParams = setting(GanParams(), "A relativistic GAN that begins with the posterior mean.")
    flow: FlowTrainParams = setting(FlowTrainParams(), "A rectified flow from the posterior mean.")

    def of(self, recipe: RecipeName) -> RecipeParams:
        """The block of one recipe."""
        return cast(RecipeParams, getattr(self, recipe))


def decisive(train: dict[str, Any], recipe: RecipeName, objective: Objective) -> dict[str, Any]:
    """Of `train` as plain values, what decides the weights of one model: shared keys and its recipe's block.

    Left out: how it is carried out (EXECUTION), blocks of recipes that it does not begin with, the other objective's
    block in its own, and what the recipe does not read. The rules' parameter slices and the identity of a run are both
    this.
    """
    block: type[RecipeParams] = TrainParams.model_fields[recipe].annotation  # type: ignore[assignment]
    others = {"recipes", *EXECUTION, *RECIPES} - {recipe, block.begins_with}
    if not block.reads_perceptual:
        others.add("perceptual")
    result = {key: value for key, value in train.items() if key not in others}
    result[recipe] = {key: value for key, value in train[recipe].items() if key not in {*OBJECTIVES} - {objective}}
    return result
