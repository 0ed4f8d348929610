"""The progressive steps: how one batch updates both networks.

Each batch passes step 1, then 2, then 3; at step k, in this order:
1. the generator runs once, in training mode, up to step k: y = G(blind). Its graph is kept.
2. the critic is updated on targets x and the detached y: equation (2) and drift. No gradient reaches the generator.
3. the generator is updated: its losses on the same y, the adversarial one by the critic as step 2 left it, whose
   weights are constants here. The gradient flows through the graph of 1: the generator's weights have not changed
   since, so this is the gradient that a second run would give, and the running statistics of batch norm move once
   per step, not twice.
At the next step the generator runs again, from its updated weights.

There is one Adam per network for all steps. Parameters that a step does not use have no gradient there, and neither
they nor their moments change. A loss whose final weight is zero at a step is never computed; without the adversarial
one the critic rests, which leaves plain regression.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, func
from torch.optim import Adam

from blindface.base.errors import ParameterError
from blindface.base.numerics import Precision, autocast
from blindface.losses import adversarial_loss, critic_loss, drift
from blindface.networks import Discriminator, Generator
from blindface.params.progressive import LOSSES
from blindface.training.data import Batch
from blindface.training.recipes.progressive.losses import Losses
from blindface.training.recipes.progressive.schedule import STEPS, StepWeights
from blindface.training.updates import AverageGradients, descend


class Steps:
    """Runs the three steps of a batch.

    generator, discriminator: on the training device, in training mode; losses: their modules on it as well; active:
    `final_weights`; precision: see `numerics`; compile: one graph per region and step, kept for one object at a time;
    average_gradients: called on the gradients between backward and update, for several processes.
    Errors: ParameterError if a loss is active that cannot be computed.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        losses: Losses,
        adam: Adam,
        adam_discriminator: Adam,
        *,
        active: StepWeights,
        precision: Precision = "fp32",
        compile: bool = False,
        average_gradients: AverageGradients | None = None,
    ) -> None:
        _check(active, losses)
        self.generator = generator
        self.discriminator = discriminator
        self.losses = losses
        self.adam, self.adam_discriminator = adam, adam_discriminator
        self.active = active
        self.precision = precision
        self.average_gradients = average_gradients
        self.device = next(generator.parameters()).device
        if self.device.type == "cuda" and losses.perceptual is not None:
            losses.perceptual.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compile:
            # PyTorch limits the graphs per function; those of an earlier object would count.
            torch.compiler.reset()
        wrap = _compiled if compile else _plain
        self._generate = wrap(self._generate_region)
        self._criticise = wrap(self._critic_region)
        self._judge = wrap(self._generator_region)
        self._weights: StepWeights | None = None
        # A row per step, a column per loss in the order of LOSSES
        self._values = torch.zeros(len(STEPS), len(LOSSES), device=self.device)

    def set_weights(self, weights: StepWeights) -> None:
        """Weigh the losses so from now on. As a tensor that stays: a ramp compiles and records nothing anew."""
        if self._weights != weights:
            self._weights = weights
            rows = [[row[name] for name in LOSSES] for row in weights]
            self._values.copy_(torch.tensor(rows, dtype=torch.float32), non_blocking=True)

    def run(self, batch: Batch) -> dict[str, Tensor]:
        """Update both networks at steps 1, 2, 3: work of the device alone, fit to be recorded.

        Returns detached scalars on the device, named `<metric>/<step>`: of the critic `critic_gap`, `penalty`, `drift`,
        `gradient_norm_discriminator`; of the generator the unweighted losses by name, `total` (weighted) and
        `gradient_norm_generator`. What a step does not compute is left out.
        """
        metrics: dict[str, Tensor] = {}
        for step in STEPS:
            found = self._run_step(batch, self._values[step - 1], step)
            metrics |= {f"{name}/{step}": value for name, value in found.items()}
        return metrics

    def _run_step(self, batch: Batch, weights: Tensor, step: int) -> dict[str, Tensor]:
        target, points = batch.targets[step - 1], batch.points[step - 1]
        metrics: dict[str, Tensor] = {}
        with autocast(self.precision, self.device):
            output = self._generate(batch.blind, step)
        if self.active[step - 1]["adversarial"] > 0:
            with autocast(self.precision, self.device):
                total, critic = self._criticise(target, output.detach(), batch.draws[step - 1], step)
            metrics |= critic
            norm = descend(self.adam_discriminator, total, self.average_gradients)
            metrics["gradient_norm_discriminator"] = norm
        with autocast(self.precision, self.device):
            total, terms = self._judge(output, target, points, batch.found, weights, step)
        metrics |= terms
        metrics["gradient_norm_generator"] = descend(self.adam, total, self.average_gradients)
        return metrics

    def _generate_region(self, blind: Tensor, step: int) -> Tensor:
        image: Tensor = self.generator(blind, step)[-1]
        return image

    def _critic_region(self, real: Tensor, fake: Tensor, mix: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """What the critic minimises, and its terms."""
        losses, critic = self.losses, self.discriminator
        real_scores, fake_scores = critic(torch.cat([real, fake.to(real.dtype)]), step, groups=2).chunk(2)
        distance = critic_loss(real_scores, fake_scores)
        penalty = losses.gradient_penalty(critic, real, fake, step, mix)
        away = drift(real_scores)
        total = distance + losses.penalty * penalty + losses.drift * away
        return total, {"critic_gap": -distance.detach(), "penalty": penalty.detach(), "drift": away.detach()}

    def _generator_region(
        self, output: Tensor, target: Tensor, points: Tensor, found: Tensor, weights: Tensor, step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        losses, active = self.losses, self.active[step - 1]
        terms: dict[str, Tensor] = {}
        if active["adversarial"] > 0:
            terms["adversarial"] = adversarial_loss(_score(self.discriminator, output, step))
        # The absolute error is free beside the rest: always reported, weighed or not.
        terms["pixel"] = losses.pixel(output, target)
        if active["perceptual"] > 0 and losses.perceptual is not None:
            terms["perceptual"] = losses.perceptual(output, target)
        if active["attention"] > 0:
            terms["attention"] = losses.attention(output, target, points, found)
        total = torch.stack([weights[LOSSES.index(name)] * term for name, term in terms.items()]).sum()
        return total, {name: term.detach() for name, term in terms.items()} | {"total": total.detach()}


def _score(critic: Discriminator, images: Tensor, step: int) -> Tensor:
    """The critic's scores, its weights being constants."""
    constants = {name: value.detach() for name, value in critic.named_parameters()}
    scores: Tensor = func.functional_call(critic, constants, (images, step))
    return scores


def _check(active: StepWeights, losses: Losses) -> None:
    for step, weights in zip(STEPS, active, strict=True):
        if not any(weights.values()):
            raise ParameterError(f"all losses have weight 0 at step {step}: give at least one of {', '.join(LOSSES)}")
        if weights["perceptual"] > 0 and losses.perceptual is None:
            raise ParameterError(
                f"the perceptual loss has weight {weights['perceptual']:g} at step {step} but "
                "train.perceptual.backbone is none: set the weight to 0 or choose a backbone"
            )
    if active[0]["attention"] > 0:
        raise ParameterError(
            f"the attention loss has weight {active[0]['attention']:g} at step 1: the method has none there"
        )


def _plain(region: Callable[..., Any]) -> Callable[..., Any]:
    return region


def _compiled(region: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a region as one graph per step.

    Static shapes: each step has its own. The backward of each region is compiled with it.
    """
    return torch.compile(region, dynamic=False, fullgraph=True)
