"""The progressive steps: how one batch updates both networks.

Each batch passes step 1, then 2, then 3; at step k, in this order:
1. the generator runs once, in training mode, up to step k: y = G(blind). Its graph is kept.
2. the critic is updated on targets x and the detached y: equation (2) and drift. No gradient reaches the generator.
3. the generator is updated: its losses on the same y, the adversarial one by the critic as step 2 left it, whose
   weights are constants here. The gradient flows through the graph of 1: the generator's weights have not changed
   since, so this is the gradient that a second run would give, and the running statistics of batch norm move once
   per step, not twice.
With a weight of `face_adversarial` at step 3 a second critic, of the aligned faces in x and y, is updated after the
first and takes part in 3 alike.
At the next step the generator runs again, from its updated weights.

There is one Adam per network for all steps. Parameters that a step does not use have no gradient there, and neither
they nor their moments change. A loss whose final weight is zero at a step is never computed; without the adversarial
one the critic rests, which leaves plain regression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, func
from torch.optim import Adam

from blindface.base.errors import ParameterError
from blindface.base.numerics import Precision, autocast
from blindface.losses import (
    AttentionLoss,
    GradientPenalty,
    PerceptualLoss,
    PixelLoss,
    adversarial_loss,
    critic_loss,
    drift,
    face_crops,
)
from blindface.networks import Discriminator, FaceDiscriminator, Generator
from blindface.params.training import ObjectiveParams, TrainParams
from blindface.training.recipes.progressive.schedule import FACES, STEPS, TERMS, StepWeights
from blindface.training.updates import Optimisers


@dataclass(frozen=True)
class Batch:
    """One batch on the training device.

    blind: (N, 3, 16 or 128, same) float in [-1, 1]; targets: (N, 3, S, S) in [-1, 1] for S = 32, 64, 128;
    points: (N, 68, 2) landmarks in pixels of each target (those at 32 px are not used); found: (N,) bool;
    mixes: three times (N, 1, 1, 1) uniform in [0, 1], where on the line the penalty looks.
    """

    blind: Tensor
    targets: Sequence[Tensor]
    points: Sequence[Tensor]
    found: Tensor
    mixes: Sequence[Tensor]


@dataclass(frozen=True)
class Losses:
    """The loss objects and the constants of the critic's constraints. perceptual: None if its weights are all zero."""

    perceptual: PerceptualLoss | None
    penalty: float = 10.0
    drift: float = 0.001
    pixel: PixelLoss = field(default_factory=PixelLoss)
    attention: AttentionLoss = field(default_factory=AttentionLoss)
    gradient_penalty: GradientPenalty = field(default_factory=GradientPenalty)


def make_networks(params: TrainParams, choice: ObjectiveParams) -> tuple[Generator, Discriminator]:
    """Both networks of an objective, with weights drawn from PyTorch's generator."""
    channels = choice.generator_channels or params.generator_channels
    return Generator(channels, choice.encoder, choice.refinement_blocks), Discriminator(params.discriminator_channels)


def make_face_discriminator(params: TrainParams, choice: ObjectiveParams) -> FaceDiscriminator | None:
    """The critic of faces, of the other one's width, where it has a weight; weights drawn from PyTorch's generator."""
    return FaceDiscriminator(params.discriminator_channels) if any(choice.face_adversarial.final) else None


class StepRunner:
    """Runs the three steps of a batch.

    generator, discriminator, face_discriminator: on the training device, in training mode, the last one needed where it
    has a weight; losses: their modules on it as well; active: `final_weights`; precision: see `numerics`; compile: one
    graph per region and step, kept for one runner at a time; average_gradients: called on the gradients between
    backward and update, for several processes.
    Errors: ParameterError if a loss is active that lacks its network.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        losses: Losses,
        optimisers: Optimisers,
        *,
        active: StepWeights,
        precision: Precision = "fp32",
        compile: bool = False,
        average_gradients: Callable[[list[Tensor]], None] | None = None,
        face_discriminator: FaceDiscriminator | None = None,
    ) -> None:
        _check(active, losses)
        if any(weights[FACES] for weights in active) and face_discriminator is None:
            raise ParameterError("the loss face_adversarial has a weight but there is no face discriminator: give one")
        self.generator = generator
        self.discriminator = discriminator
        self.face_discriminator = face_discriminator
        self.losses = losses
        self.optimisers = optimisers
        self.active = active
        self.precision = precision
        self.average_gradients = average_gradients
        self.device = next(generator.parameters()).device
        if self.device.type == "cuda" and losses.perceptual is not None:
            losses.perceptual.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compile:
            # PyTorch limits the graphs per function; those of an earlier runner would count.
            torch.compiler.reset()
        wrap = _compiled if compile else _plain
        self._generate = wrap(self._generate_region)
        self._criticise = wrap(self._critic_region)
        self._criticise_faces = wrap(self._face_critic_region)
        self._judge = wrap(self._generator_region)
        self._weights: StepWeights | None = None
        self._values = torch.zeros(len(STEPS), len(TERMS), device=self.device)

    def run(self, batch: Batch, weights: StepWeights) -> dict[str, Tensor]:
        """Update all networks at steps 1, 2, 3.

        Returns detached scalars on the device, named `<metric>/<step>`: of the critic `critic_gap`, `penalty`, `drift`,
        `gradient_norm_discriminator`; of that of faces `face_critic_gap`, `face_penalty`,
        `gradient_norm_face_discriminator`; of the generator the unweighted TERMS, `total` (weighted) and
        `gradient_norm_generator`. What a step does not compute is left out.
        Nothing here waits for the device.
        """
        self.set_weights(weights)
        return self.run_steps(batch)

    def set_weights(self, weights: StepWeights) -> None:
        """Weigh the losses so from now on. As a tensor that stays: a ramp compiles and records nothing anew."""
        if self._weights != weights:
            self._weights = weights
            self._values.copy_(torch.tensor(weights, dtype=torch.float32), non_blocking=True)

    def run_steps(self, batch: Batch) -> dict[str, Tensor]:
        """What `run` does after the weights are set: work of the device alone, fit to be recorded."""
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
        if self.active[step - 1][0] > 0:
            with autocast(self.precision, self.device):
                total, critic = self._criticise(target, output.detach(), batch.mixes[step - 1], step)
            metrics |= critic
            norm = self._update(self.optimisers.discriminator, total)
            metrics["gradient_norm_discriminator"] = norm
        if self.active[step - 1][FACES] > 0 and self.optimisers.face_discriminator is not None:
            mix = batch.mixes[step - 1]
            with autocast(self.precision, self.device):
                total, critic = self._criticise_faces(target, output.detach(), points, batch.found, mix)
            metrics |= critic
            norm = self._update(self.optimisers.face_discriminator, total)
            metrics["gradient_norm_face_discriminator"] = norm
        with autocast(self.precision, self.device):
            total, terms = self._judge(output, target, points, batch.found, weights, step)
        metrics |= terms
        metrics["gradient_norm_generator"] = self._update(self.optimisers.generator, total)
        return metrics

    def _generate_region(self, blind: Tensor, step: int) -> Tensor:
        image: Tensor = self.generator(blind, step)[-1]
        return image

    def _critic_region(self, real: Tensor, fake: Tensor, mix: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        return self._judge_critic(self.discriminator, real, fake, mix, step)

    def _face_critic_region(
        self, real: Tensor, fake: Tensor, points: Tensor, found: Tensor, mix: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        assert self.face_discriminator is not None
        real, fake = face_crops(real, points, found), face_crops(fake, points, found)
        total, terms = self._judge_critic(self.face_discriminator, real, fake, mix, step=3)
        return total, {f"face_{name}": terms[name] for name in ("critic_gap", "penalty")}

    def _judge_critic(
        self, critic: Discriminator, real: Tensor, fake: Tensor, mix: Tensor, step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What a critic minimises, and its terms."""
        losses = self.losses
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
        if active[0] > 0:
            terms["adversarial"] = adversarial_loss(_score(self.discriminator, output, step))
        # The absolute error is free beside the rest: always reported, weighed or not.
        terms["pixel"] = losses.pixel(output, target)
        if active[2] > 0 and losses.perceptual is not None:
            terms["perceptual"] = losses.perceptual(output, target)
        if active[3] > 0:
            terms["attention"] = losses.attention(output, target, points, found)
        if active[FACES] > 0 and self.face_discriminator is not None:
            faces = face_crops(output, points, found)
            terms["face_adversarial"] = adversarial_loss(_score(self.face_discriminator, faces, step))
        total = torch.stack([weights[TERMS.index(name)] * term for name, term in terms.items()]).sum()
        return total, {name: term.detach() for name, term in terms.items()} | {"total": total.detach()}

    def _update(self, optimiser: Adam, total: Tensor) -> Tensor:
        """One update of one network; returns the norm of its gradient."""
        total.backward()  # type: ignore[no-untyped-call]
        parameters: list[Tensor] = optimiser.param_groups[0]["params"]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.average_gradients is not None:
            self.average_gradients(gradients)
        norm = torch.nn.utils.get_total_norm(gradients)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return norm


def _score(critic: Discriminator, images: Tensor, step: int) -> Tensor:
    """The critic's scores, its weights being constants."""
    constants = {name: value.detach() for name, value in critic.named_parameters()}
    scores: Tensor = func.functional_call(critic, constants, (images, step))
    return scores


def _check(active: StepWeights, losses: Losses) -> None:
    for step, weights in zip(STEPS, active, strict=True):
        if not any(weights):
            raise ParameterError(f"all losses have weight 0 at step {step}: give at least one of {', '.join(TERMS)}")
        if weights[2] > 0 and losses.perceptual is None:
            raise ParameterError(
                f"the perceptual loss has weight {weights[2]:g} at step {step} but train.perceptual.backbone is none: "
                "set the weight to 0 or choose a backbone"
            )
    if active[0][3] > 0:
        raise ParameterError(f"the attention loss has weight {active[0][3]:g} at step 1: the method has none there")
    for step in (1, 2):
        if active[step - 1][FACES] > 0:
            raise ParameterError(
                f"the loss face_adversarial has weight {active[step - 1][FACES]:g} at step {step}: faces are large "
                "enough for its critic at step 3 alone, so give it 0 there"
            )


def _plain(region: Callable[..., Any]) -> Callable[..., Any]:
    return region


def _compiled(region: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a region as one graph per step.

    Static shapes: each step has its own. The backward of each region is compiled with it.
    """
    return torch.compile(region, dynamic=False, fullgraph=True)
