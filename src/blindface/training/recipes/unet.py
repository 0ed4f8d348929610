"""What the recipes `mean`, `gan` and `flow` share: the rate over the run, and one image per restoration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor

from blindface.base.errors import InputError
from blindface.base.images import SIZE
from blindface.networks.model_file import load_generator
from blindface.networks.unet import RestorationUNet
from blindface.params.unet import UNetRecipeParams
from blindface.training.recipes.base import Recipe
from blindface.training.updates import AverageGradients, decayed

INPUT_SIZES = {"objective1": 16, "objective2": SIZE}
"""Side of the blind images of each objective in px."""


class UNetRecipe(Recipe):
    """A recipe whose update makes images of full size alone."""

    @property
    def params(self) -> UNetRecipeParams:
        """The recipe's block."""
        return cast(UNetRecipeParams, super().params)

    @property
    def average_gradients(self) -> AverageGradients | None:
        """Between backward and step, of several processes."""
        processes = self.setup.processes
        return processes.average_gradients if processes.count > 1 else None

    def rate(self, place: float) -> float:
        """The learning rate at a position: up linearly, constant, down linearly to a share of itself."""
        params = self.params
        place = min(place, params.epochs)
        rate = params.learning_rate * (min(1.0, place / params.warm_up) if params.warm_up else 1.0)
        return decayed(rate, params.learning_rate_decay, params.epochs, place, params.learning_rate_end)

    def make_mean(self) -> RestorationUNet:
        """The network of the posterior mean, with weights drawn from PyTorch's generator."""
        mean = self.setup.params.mean
        return RestorationUNet(mean.channels, mean.blocks, mean.stem, INPUT_SIZES[self.setup.objective])

    def restore(self, blind: Tensor, ids: Sequence[str]) -> list[Tensor]:
        """One image, (N, 3, 128, 128)."""
        network: Any = self.ema
        images: list[Tensor] = network.restore(blind, ids)
        return images


def read_mean(path: Any, wanted: RestorationUNet) -> RestorationUNet:
    """The averaged weights of a posterior mean. Errors: InputError if the file holds a network of another shape."""
    found = load_generator(path)
    if not isinstance(found, RestorationUNet) or found.arguments != wanted.arguments:
        raise InputError(
            f"{path} holds {found.arguments}, but this training begins with {wanted.arguments}: give the model `mean` "
            "of the same objective and parameters train.mean"
        )
    return found
