"""The recipe `flow`: a rectified flow from the posterior mean to the targets (PMRF, Ohayon et al. 2025).

The mean's network is frozen. Each batch: m = mean(blind), z_0 = m + sigma e, t uniform and stratified over the batch,
z_t on the straight line to the target x; the velocity's network sees z_t, m and the enlarged blind image, and learns
x - z_0 by the squared error. Noise and times are functions of the position, drawn for the whole batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from blindface.base.images import SIZE
from blindface.base.numerics import autocast
from blindface.losses import flow_loss, flow_state, stratified_times
from blindface.networks.flow_restorer import FlowRestorer, Sampling
from blindface.networks.flow_sampling import flow_start
from blindface.networks.unet import enlarge
from blindface.params.unet import FlowTrainParams
from blindface.training.data import Batch
from blindface.training.recipes.base import Setup, copy_for_ema
from blindface.training.recipes.regions import regions
from blindface.training.recipes.unet import UNetRecipe, read_mean
from blindface.training.updates import descend, make_adam, set_learning_rate


class Flow(UNetRecipe):
    """Squared error of the velocity, AdamW."""

    name = "flow"
    columns = ("velocity_error", "gradient_norm_generator")

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        params = self.params
        with self.drawn_weights():
            mean = self.make_mean()
            velocity = {"channels": list(params.channels), "blocks": list(params.blocks), "stem": params.stem}
            network = FlowRestorer(mean.arguments, velocity, params.sigma)
        network.sampling = Sampling(params.steps, seed=setup.params.seed)
        self.network: FlowRestorer = self.on_device(network)
        self.ema = copy_for_ema(self.network)
        trained = self.network.velocity.parameters()
        self.adam = make_adam(trained, params.learning_rate, params.betas, params.weight_decay)
        (self._judge,) = regions(setup.compile, self._velocity_error)

    @property
    def params(self) -> FlowTrainParams:
        """The recipe's block."""
        return cast(FlowTrainParams, super().params)

    def networks(self) -> dict[str, nn.Module]:
        """The mean, frozen, and the velocity in one."""
        return {"generator": self.network}

    def optimisers(self) -> dict[str, Optimizer]:
        """AdamW of the velocity."""
        return {"generator": self.adam}

    def begin_with(self, path: Path) -> None:
        """Take over the posterior mean."""
        state = read_mean(path, self.network.mean).state_dict()
        self.network.mean.load_state_dict(state)
        self.ema.get_submodule("mean").load_state_dict(state)

    def schedule(self, place: float) -> dict[str, float]:
        """The learning rate."""
        rate = self.rate(place)
        set_learning_rate(self.adam, rate)
        return {"learning_rate": rate}

    def draws(self, epoch: int, batch: int, batches: int) -> tuple[Tensor, ...]:
        """Noise (N, 3, 128, 128), standard normal, and times (N,), one in each N-th of [0, 1]."""
        noise = self.random_tensor((self.batch_size, 3, SIZE, SIZE), "noise", epoch, batch)
        times = self.random_tensor((self.batch_size,), "time", epoch, batch, normal=False)
        return noise, stratified_times(times)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One descent of the velocity's error."""
        with autocast(self.setup.params.precision, self.setup.device):
            error = self._judge(batch.blind, batch.target, *batch.draws)
        norm = descend(self.adam, error, self.average_gradients, self.params.gradient_norm)
        return {"velocity_error/1": error.detach(), "gradient_norm_generator/1": norm}

    def _velocity_error(self, blind: Tensor, target: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        with torch.no_grad():
            mean = self.network.mean(blind)
        start = flow_start(mean, noise, self.network.sigma)
        state = flow_state(start, target, time)
        return flow_loss(self.network.velocity.velocity(state, time, mean, enlarge(blind)), start, target)
