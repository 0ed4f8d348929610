"""The paper's recipe: a progressive generator and a critic, both updated at the steps 1, 2 and 3 of every batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from blindface.base import randomness
from blindface.base.images import to_signed
from blindface.networks import Discriminator, Generator, recalibrate
from blindface.params.progressive import LOSSES, ObjectiveParams, ProgressiveParams
from blindface.training.data import Batch
from blindface.training.distributed.synchronised import synchronise
from blindface.training.recipes.base import Recipe, Setup, copy_for_ema
from blindface.training.recipes.progressive.losses import choose_losses
from blindface.training.recipes.progressive.schedule import STEPS, final_weights, weights_at
from blindface.training.recipes.progressive.steps import Steps
from blindface.training.updates import decayed, make_adam, set_learning_rate

RECALIBRATION_IMAGES = 2048


class Progressive(Recipe):
    """Progressive WGAN-GP. The objective's block says the encoder and the weights of the losses."""

    name = "progressive"
    steps = STEPS
    columns = (
        *LOSSES,
        *("total", "critic_gap", "penalty", "drift", "gradient_norm_generator", "gradient_norm_discriminator"),
        *(f"weight_{name}" for name in LOSSES),
    )

    told = ("pixel", "critic_gap")
    advice: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("critic_gap", "penalty", "gradient_norm_discriminator"), "a higher penalty.gradient"),
        "drift": "a higher penalty.drift",
        "adversarial": "a lower or later weight of adversarial",
        "pixel": "a lower weight of adversarial",
    }

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        params = self.params
        self.objective, self.losses, self.left_out = choose_losses(setup, params)
        with self.drawn_weights():
            generator, discriminator = make_networks(params, self.objective)
        self.network: Generator = self.on_device(generator)
        self.discriminator: Discriminator = self.on_device(discriminator)
        self.ema: Generator = copy_for_ema(self.network)
        if setup.processes.count > 1 and params.batch_statistics == "batch":
            # Not in the average: one process measures its statistics, without the others
            synchronise(setup.processes, self.network, self.discriminator)
        self.adam = make_adam(self.network.parameters(), params.learning_rate, params.betas)
        self.adam_discriminator = make_adam(self.discriminator.parameters(), params.learning_rate, params.betas)
        self._steps = Steps(
            self.network,
            self.discriminator,
            self.losses,
            self.adam,
            self.adam_discriminator,
            active=final_weights(self.objective),
            precision=setup.params.precision,
            compile=setup.compile,
            average_gradients=setup.processes.average_gradients if setup.processes.count > 1 else None,
        )
        self._mixes: tuple[int, Tensor] | None = None

    @property
    def params(self) -> ProgressiveParams:
        """The recipe's block."""
        return cast(ProgressiveParams, super().params)

    def networks(self) -> dict[str, nn.Module]:
        """Generator and discriminator."""
        return {"generator": self.network, "discriminator": self.discriminator}

    def optimisers(self) -> dict[str, Optimizer]:
        """One Adam per network."""
        return {"generator": self.adam, "discriminator": self.adam_discriminator}

    def schedule(self, place: float) -> dict[str, float]:
        """Learning rate and weights of the losses at a position."""
        params = self.params
        rate = decayed(params.learning_rate, params.learning_rate_decay, params.epochs, place)
        for optimiser in (self.adam, self.adam_discriminator):
            set_learning_rate(optimiser, rate)
        weights = weights_at(self.objective, place)
        self._steps.set_weights(weights)
        shown = {
            f"weight_{name}/{step}": value
            for step, row in zip(STEPS, weights, strict=True)
            for name, value in row.items()
        }
        return {"learning_rate": rate, **shown}

    def draws(self, epoch: int, batch: int, batches: int) -> tuple[Tensor, ...]:
        """Three times (N, 1, 1, 1) uniform in [0, 1), where on the line the gradient penalty looks at each step."""
        if self._mixes is None or self._mixes[0] != epoch:
            shape = (batches, len(STEPS), self.batch_size, 1, 1, 1)
            source = randomness.generator(self.setup.params.seed, "mix", self.setup.objective, epoch)
            mixes = torch.from_numpy(source.random(shape, dtype=np.float32))
            self._mixes = epoch, mixes.to(self.setup.device)
        return self._mixes[1][batch].unbind()

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Steps 1, 2, 3."""
        return self._steps.run(batch)

    def refresh_ema(self, blinds: Tensor) -> None:
        """Measure the batch statistics of the averaged weights anew, on the first whole batches of blind images."""
        size = self.batch_size
        whole = min(len(blinds) // size, max(RECALIBRATION_IMAGES // size, 1))
        recalibrate(self.ema, (to_signed(blinds[start : start + size]) for start in range(0, whole * size, size)))


def make_networks(params: ProgressiveParams, objective: ObjectiveParams) -> tuple[Generator, Discriminator]:
    """Both networks of an objective, with weights drawn from PyTorch's generator."""
    return Generator(params.generator_channels, objective.encoder), Discriminator(params.discriminator_channels)
