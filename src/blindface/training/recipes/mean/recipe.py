"""The recipe `mean`: a U-Net that estimates the posterior mean E[x | blind], by the squared error.

Of all estimates of the target it has the least expected squared error, and it is smooth where the blind image leaves
open what there was. `gan` and `flow` begin with it.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.optim import Optimizer

from blindface.base.numerics import autocast, in_full
from blindface.params.unet import MeanParams
from blindface.training.data import Batch
from blindface.training.recipes.base import Setup, copy_for_ema
from blindface.training.recipes.regions import regions
from blindface.training.recipes.unet import UNetRecipe
from blindface.training.updates import descend, make_adam, set_learning_rate


class Mean(UNetRecipe):
    """Squared error, AdamW."""

    name = "mean"
    columns = ("squared_error", "gradient_norm_generator")

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        params = self.params
        with self.drawn_weights():
            network = self.make_mean()
        self.network = self.on_device(network)
        self.ema = copy_for_ema(self.network)
        self.adam = make_adam(self.network.parameters(), params.learning_rate, params.betas, params.weight_decay)
        (self._judge,) = regions(setup.compile, self._squared_error)

    @property
    def params(self) -> MeanParams:
        """The recipe's block."""
        return cast(MeanParams, super().params)

    def networks(self) -> dict[str, nn.Module]:
        """The U-Net alone."""
        return {"generator": self.network}

    def optimisers(self) -> dict[str, Optimizer]:
        """AdamW."""
        return {"generator": self.adam}

    def schedule(self, place: float) -> dict[str, float]:
        """The learning rate."""
        rate = self.rate(place)
        set_learning_rate(self.adam, rate)
        return {"learning_rate": rate}

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One descent of the squared error."""
        with autocast(self.setup.params.precision, self.setup.device):
            error = self._judge(batch.blind, batch.target)
        norm = descend(self.adam, error, self.average_gradients, self.params.gradient_norm)
        return {"squared_error/1": error.detach(), "gradient_norm_generator/1": norm}

    def _squared_error(self, blind: Tensor, target: Tensor) -> Tensor:
        return (in_full(self.network(blind)) - target).square().mean()
