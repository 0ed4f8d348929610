"""The variants of training that are timed, each as a function that runs one pass: our steps, and a plain loop.

A pass is steps 1, 2 and 3 with an update of the critic and one of the generator each. Images are random, and so are
the weights of the perceptual backbone: what they hold changes no speed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from blindface.base.numerics import Precision, set_policy
from blindface.losses import PerceptualLoss, adversarial_loss, critic_loss, drift, face_crops
from blindface.networks.discriminator import SIZES
from blindface.params import Objective, ObjectiveParams, PerceptualParams, TrainParams, load_params
from blindface.training.distributed.processes import ALONE, Processes
from blindface.training.distributed.synchronised import synchronise
from blindface.training.recipes.progressive.schedule import STEPS, StepWeights, final_weights
from blindface.training.recipes.progressive.steps import (
    Batch,
    Losses,
    StepRunner,
    make_face_discriminator,
    make_networks,
)
from blindface.training.session.recorded import RecordedSteps
from blindface.training.updates import Optimisers, make_optimisers

VARIANTS: dict[str, tuple[Precision, bool, bool, bool]] = {
    "bf16 eager": ("bf16", False, False, False),
    "bf16 compiled": ("bf16", True, False, False),
    "bf16 compiled recorded": ("bf16", True, False, True),
    "bf16 compiled deterministic": ("bf16", True, True, False),
    "tf32 eager": ("tf32", False, False, False),
}
"""Precision, compiled, deterministic and recorded as one graph or not."""
PLAIN = "fp32 plain loop"


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The options that say what is trained; `read_choices` reads them."""
    parser.add_argument("--objective", choices=("objective1", "objective2"), default="objective1")
    parser.add_argument("--params", action="append", default=[], help="as of `blindface train`; several times")
    parser.add_argument("--tiny", action="store_true", help="small networks and batches, to try the script on a CPU")


def read_choices(options: argparse.Namespace) -> tuple[TrainParams, ObjectiveParams]:
    """The parameters of training and of the objective among them, by the files of `--params` or else the defaults."""
    params = load_params(options.params).train
    objective: Objective = options.objective
    if options.tiny:
        narrow = params.of(objective).model_copy(update={"generator_channels": None, "batch_size": 2})
        params = params.model_copy(update={"generator_channels": 8, "discriminator_channels": 4, objective: narrow})
    return params, params.of(objective)


def plain_pass(
    generator: nn.Module,
    discriminator: nn.Module,
    losses: Losses,
    optimisers: Optimisers,
    batch: Batch,
    weights: StepWeights,
    face_discriminator: nn.Module | None = None,
) -> None:
    """The three steps as one writes them first: the generator runs for each update, the penalty by `autograd.grad`.

    It gives the same weights as `StepRunner`, which the tests hold it to.
    """
    for step, (adversarial, pixel, perceptual, attention, faces) in zip(STEPS, weights, strict=True):
        target, points, mix = batch.targets[step - 1], batch.points[step - 1], batch.mixes[step - 1]

        def crop(images: Tensor, points: Tensor = points) -> Tensor:
            return face_crops(images, points, batch.found)

        # Critics
        with torch.no_grad():
            fake = generator(batch.blind, step)[-1]
        plain_critic_update(discriminator, optimisers.discriminator, losses, target, fake, mix, step)
        if face_discriminator is not None and optimisers.face_discriminator is not None and faces:
            adam = optimisers.face_discriminator
            plain_critic_update(face_discriminator, adam, losses, crop(target), crop(fake), mix, step)
        # Generator
        output = generator(batch.blind, step)[-1]
        total = adversarial * adversarial_loss(discriminator(output, step)) + pixel * losses.pixel(output, target)
        if perceptual and losses.perceptual is not None:
            total = total + perceptual * losses.perceptual(output, target)
        if attention:
            total = total + attention * losses.attention(output, target, points, batch.found)
        if face_discriminator is not None and faces:
            total = total + faces * adversarial_loss(face_discriminator(crop(output), step))
        optimisers.generator.zero_grad()
        total.backward()
        optimisers.generator.step()


def plain_critic_update(
    critic: nn.Module, adam: Adam, losses: Losses, real: Tensor, fake: Tensor, mix: Tensor, step: int
) -> None:
    """One update of a critic, its penalty by `autograd.grad`."""
    real_scores, fake_scores = critic(real, step), critic(fake, step)
    between = (real + mix * (fake - real)).requires_grad_()
    (gradients,) = torch.autograd.grad(critic(between, step).sum(), between, create_graph=True)
    penalty = (gradients.flatten(1).norm(2, dim=1) - 1).square().mean()
    total = critic_loss(real_scores, fake_scores) + losses.penalty * penalty + losses.drift * drift(real_scores)
    adam.zero_grad()
    total.backward()
    adam.step()


def make_perceptual(params: PerceptualParams, device: torch.device) -> PerceptualLoss | None:
    """The perceptual loss with random weights, fit to be timed and nothing else."""
    if params.backbone == "none":
        return None
    loss = PerceptualLoss(params.backbone, params.layers, None).to_empty(device=device)
    for convolution in loss.features.convolutions:
        nn.init.kaiming_normal_(convolution.weight)  # type: ignore[arg-type]
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    loss.features.mean.zero_()
    loss.features.deviation.fill_(1.0)
    return loss


def make_batch(blind_size: int, count: int, device: torch.device, layout: torch.memory_format) -> Batch:
    """A random batch in which every image has landmarks."""

    def image(size: int) -> Tensor:
        return (torch.rand(count, 3, size, size, device=device) * 2 - 1).to(memory_format=layout)

    return Batch(
        blind=image(blind_size),
        targets=[image(size) for size in SIZES],
        points=[torch.rand(count, 68, 2, device=device) * size for size in SIZES],
        found=torch.ones(count, dtype=torch.bool, device=device),
        mixes=[torch.rand(count, 1, 1, 1, device=device) for _ in SIZES],
    )


def prepare(
    name: str,
    params: TrainParams,
    choice: ObjectiveParams,
    batch_size: int,
    device: torch.device,
    processes: Processes = ALONE,
) -> Callable[[], Any]:
    """Networks, optimisers and data of one variant; returns what runs one pass.

    batch_size: of this process; processes: those that train together, ours alone (`benchmarks/scaling.py`).
    """
    torch.manual_seed(0)
    precision, compiled, deterministic, recorded = VARIANTS.get(name, ("fp32", False, False, False))
    set_policy(precision, deterministic)
    layout = torch.contiguous_format if name == PLAIN else torch.channels_last
    generator, discriminator = make_networks(params, choice)
    generator = generator.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    discriminator = discriminator.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    faces = make_face_discriminator(params, choice)
    if faces is not None:
        faces = faces.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    perceptual = make_perceptual(params.perceptual, device)
    if perceptual is not None:
        perceptual = perceptual.to(memory_format=layout)  # type: ignore[call-overload]
    losses = Losses(perceptual, params.penalty.gradient, params.penalty.drift)
    weights = final_weights(choice)
    batch = make_batch(generator.input_size, batch_size, device, layout)
    if name == PLAIN:

        def adam(network: nn.Module) -> Adam:
            return Adam(network.parameters(), lr=params.learning_rate, betas=params.betas)

        plain = Optimisers(adam(generator), adam(discriminator), None if faces is None else adam(faces))
        return lambda: plain_pass(generator, discriminator, losses, plain, batch, weights, faces)
    optimisers = make_optimisers(generator, discriminator, params.learning_rate, params.betas, faces)
    if processes.count > 1 and params.batch_statistics == "batch":
        synchronise(processes, generator, discriminator, faces)
    runner = StepRunner(
        generator,
        discriminator,
        losses,
        optimisers,
        active=weights,
        precision=precision,
        compile=compiled,
        average_gradients=processes.average_gradients if processes.count > 1 else None,
        face_discriminator=faces,
    )
    steps = RecordedSteps(runner) if recorded and device.type == "cuda" else runner
    return lambda: steps.run(batch, weights)
