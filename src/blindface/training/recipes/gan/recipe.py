"""The recipe `gan`: the posterior mean trained on with a relativistic GAN (Huang et al. 2024) and a perceptual loss.

Each batch, in this order:
1. the generator runs once, y = G(blind), and its graph is kept;
2. the discriminator is updated on pairs of target x and detached y: `losses.relativistic`, with R1 and R2, whose image
   gradients come from the same run of the discriminator (`ResidualDiscriminator.judge`);
3. the generator is updated on the same y: pixel |x - y| + perceptual + relativistic loss by the discriminator as 2 left
   it, its weights constants.
With `penalty_every` n the penalties count at every n-th update alone, n times as much (Karras et al. 2020, "lazy").
The penalties' weight gamma falls by a cosine over the run, as Huang et al. have it; the relativistic loss's rises at
the beginning, while the discriminator knows nothing yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, cast

import torch
from torch import Tensor, func, nn
from torch.optim import Optimizer

from blindface.base.numerics import autocast
from blindface.losses import (
    PerceptualLoss,
    PixelLoss,
    relativistic_discriminator_loss,
    relativistic_generator_loss,
    zero_centred_penalty,
)
from blindface.networks.residual_discriminator import ResidualDiscriminator
from blindface.networks.unet import RestorationUNet
from blindface.params.unet import GanParams
from blindface.training.data import Batch
from blindface.training.recipes.base import Setup, copy_for_ema
from blindface.training.recipes.regions import regions
from blindface.training.recipes.unet import UNetRecipe, read_mean
from blindface.training.updates import descend, make_adam, set_learning_rate

TERMS = ("pixel", "perceptual", "adversarial", "gamma")
"""What has a weight, in the order of the tensor that holds them."""


class Gan(UNetRecipe):
    """Relativistic GAN with R1 and R2, Adam."""

    name = "gan"
    columns = (
        *("pixel", "perceptual", "adversarial", "total", "score_gap", "discriminator", "r1", "r2"),
        *("gradient_norm_generator", "gradient_norm_discriminator"),
        *(f"weight_{name}" for name in TERMS),
    )
    advice: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("r1", "r2", "discriminator", "score_gap", "gradient_norm_discriminator", "adversarial"),
        "a higher gamma, or a lower discriminator_rate",
    )

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        params = self.params
        self.objective = params.of(setup.objective)
        self.pixel = PixelLoss()
        self.perceptual = self._make_perceptual()
        with self.drawn_weights():
            network = self.make_mean()
            discriminator = ResidualDiscriminator(
                params.discriminator_channels,
                params.discriminator_blocks,
                params.discriminator_expansion,
                params.discriminator_group,
            )
        self.network: RestorationUNet = self.on_device(network)
        self.discriminator = self.on_device(discriminator)
        self.ema = copy_for_ema(self.network)
        rate, betas, decay = params.learning_rate, params.betas, params.weight_decay
        self.adam = make_adam(self.network.parameters(), rate, betas, decay)
        self.adam_discriminator = make_adam(
            self.discriminator.parameters(), rate * params.discriminator_rate, betas, decay
        )
        self._weights = torch.zeros(len(TERMS), device=setup.device)
        self._shown: tuple[float, ...] | None = None
        self.period = params.penalty_every  # type: ignore[misc]
        self._generate, self._criticise, self._compare, self._judge = regions(
            setup.compile,
            self._generate_region,
            self._discriminator_region,
            self._scores_region,
            self._generator_region,
        )

    @property
    def params(self) -> GanParams:
        """The recipe's block."""
        return cast(GanParams, super().params)

    def kind(self, updates: int) -> str:
        """Whether the penalties count in the update after so many."""
        return "penalised" if updates % self.params.penalty_every == 0 else ""

    def networks(self) -> dict[str, nn.Module]:
        """Generator and discriminator."""
        return {"generator": self.network, "discriminator": self.discriminator}

    def optimisers(self) -> dict[str, Optimizer]:
        """One Adam per network."""
        return {"generator": self.adam, "discriminator": self.adam_discriminator}

    def begin_with(self, path: Path) -> None:
        """Generator and average begin as the posterior mean."""
        state = read_mean(path, self.network).state_dict()
        self.network.load_state_dict(state)
        self.ema.load_state_dict(state)

    def schedule(self, place: float) -> dict[str, float]:
        """Learning rates, weights of the losses and gamma, in a tensor that stays: nothing compiles or records anew."""
        rate = self.rate(place)
        set_learning_rate(self.adam, rate)
        set_learning_rate(self.adam_discriminator, rate * self.params.discriminator_rate)
        weights = tuple(self._weights_at(place)[name] for name in TERMS)
        if weights != self._shown:
            self._shown = weights
            self._weights.copy_(torch.tensor(weights), non_blocking=True)
        shown = {f"weight_{name}/1": value for name, value in zip(TERMS, weights, strict=True)}
        return {"learning_rate": rate, **shown}

    def _weights_at(self, place: float) -> dict[str, float]:
        objective = self.objective
        ramp = min(1.0, place / objective.adversarial_ramp) if objective.adversarial_ramp else 1.0
        begin, end = objective.gamma
        share = (1 + math.cos(math.pi * min(1.0, place / self.params.epochs))) / 2
        return {
            "pixel": objective.pixel,
            "perceptual": objective.perceptual if self.perceptual else 0.0,
            "adversarial": objective.adversarial * ramp,
            "gamma": end + (begin - end) * share,
        }

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Discriminator, then generator."""
        precision, device, target = self.setup.params.precision, self.setup.device, batch.target
        with autocast(precision, device):
            output = self._generate(batch.blind)
            criticise = self._criticise if self.kind(self.updates) else self._compare
            total, terms = criticise(target, output.detach(), self._weights)
        norm_discriminator = descend(self.adam_discriminator, total, self.average_gradients)
        with autocast(precision, device):
            total, more = self._judge(output, target, self._weights)
        norm = descend(self.adam, total, self.average_gradients, self.params.gradient_norm)
        norms = {"gradient_norm_generator": norm, "gradient_norm_discriminator": norm_discriminator}
        return {f"{name}/1": value for name, value in {**terms, **more, **norms}.items()}

    def _generate_region(self, blind: Tensor) -> Tensor:
        image: Tensor = self.network(blind)
        return image

    def _discriminator_region(self, real: Tensor, fake: Tensor, weights: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What the discriminator minimises, and its terms."""
        scores, gradients = self.discriminator.judge(torch.cat([real, fake]))
        real_scores, fake_scores = scores.chunk(2)
        r1, r2 = (zero_centred_penalty(part) for part in gradients.chunk(2))
        loss = relativistic_discriminator_loss(real_scores, fake_scores)
        gap = (real_scores - fake_scores).mean()
        terms = {"discriminator": loss.detach(), "score_gap": gap.detach(), "r1": r1.detach(), "r2": r2.detach()}
        return loss + self.params.penalty_every * weights[TERMS.index("gamma")] * (r1 + r2), terms

    def _scores_region(self, real: Tensor, fake: Tensor, weights: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The same without the penalties."""
        real_scores, fake_scores = self.discriminator(torch.cat([real, fake])).chunk(2)
        loss = relativistic_discriminator_loss(real_scores, fake_scores)
        return loss, {"discriminator": loss.detach(), "score_gap": (real_scores - fake_scores).mean().detach()}

    def _generator_region(self, output: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What the generator minimises, and its terms."""
        terms = {"pixel": self.pixel(output, target)}
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual(output, target)
        if self.objective.adversarial > 0:
            real_scores, fake_scores = self._score(target), self._score(output)
            terms["adversarial"] = relativistic_generator_loss(real_scores, fake_scores)
        total = torch.stack([weights[TERMS.index(name)] * term for name, term in terms.items()]).sum()
        return total, {name: term.detach() for name, term in terms.items()} | {"total": total.detach()}

    def _score(self, images: Tensor) -> Tensor:
        """The discriminator's scores, its weights being constants."""
        constants = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        scores: Tensor = func.functional_call(self.discriminator, constants, (images,))
        return scores

    def _make_perceptual(self) -> PerceptualLoss | None:
        """The loss where it has a weight and its backbone is there; else why not, in `left_out`."""
        setup, chosen = self.setup, self.setup.params.perceptual
        if self.objective.perceptual == 0:
            return None
        if chosen.backbone == "none":
            self.left_out["perceptual"] = "train.perceptual.backbone is none"
        elif setup.perceptual is None and setup.device.type != "meta":
            self.left_out["perceptual"] = setup.perceptual_missing or f"the weights of {chosen.backbone} were not given"
        else:
            loss = PerceptualLoss(chosen.backbone, chosen.layers, setup.perceptual).to(setup.device)
            if setup.device.type == "cuda":
                loss.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            return loss
        return None
