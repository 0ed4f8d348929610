"""The variants of training that are timed, each as a function that runs one update: a recipe's own, and a plain loop.

Images are random, and so are the weights of the perceptual backbone: what they hold changes no speed.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from blindface.base.numerics import Precision, set_policy
from blindface.losses import adversarial_loss, critic_loss, drift
from blindface.losses.vgg import random_weights
from blindface.params import RECIPES, Objective, RecipeName, TrainParams, load_params
from blindface.training.data import Batch
from blindface.training.distributed.processes import ALONE, Processes
from blindface.training.monitor.work import meta_batch, without_values
from blindface.training.recipes import Setup, make_recipe
from blindface.training.recipes.gan.recipe import Gan
from blindface.training.recipes.progressive.losses import Losses
from blindface.training.recipes.progressive.recipe import Progressive
from blindface.training.recipes.progressive.schedule import STEPS, StepWeights, final_weights
from blindface.training.session.recorded import RecordedUpdates

VARIANTS: dict[str, tuple[Precision, bool, bool, bool]] = {
    "bf16 eager": ("bf16", False, False, False),
    "bf16 compiled": ("bf16", True, False, False),
    "bf16 compiled recorded": ("bf16", True, False, True),
    "bf16 compiled deterministic": ("bf16", True, True, False),
    "tf32 eager": ("tf32", False, False, False),
}
"""Precision, compiled, deterministic and recorded as one graph or not."""
PLAIN = "fp32 plain loop"
"""The method as one writes it first, eager and in float32: of `progressive` a loop of its own, of `gan` the penalties
by a double backward, of `mean` and `flow`, where there is nothing else to write, their own update."""
PLAIN_BF16 = "bf16 plain loop"
"""The same under autocast to bfloat16, of the recipes but `progressive`; see `benchmarks/recipes.py`."""


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The options that say what is trained; `read_choices` reads them."""
    parser.add_argument("--recipe", choices=RECIPES, default="progressive")
    parser.add_argument("--objective", choices=("objective1", "objective2"), default="objective1")
    parser.add_argument("--params", action="append", default=[], help="as of `blindface train`; several times")
    parser.add_argument("--tiny", action="store_true", help="small networks and batches, to try the script on a CPU")


def read_choices(options: argparse.Namespace) -> tuple[TrainParams, RecipeName, Objective]:
    """The parameters of training by the files of `--params` or else the defaults, the recipe and the objective."""
    params = list(options.params)
    if options.tiny:
        narrow = {"channels": [4, 8, 8, 8], "blocks": [1, 1, 1, 1], "batch_size": 2}
        train = {
            "progressive": {"generator_channels": 8, "discriminator_channels": 4},
            "mean": narrow,
            "gan": {"discriminator_channels": [8, 8], "batch_size": 2},
            "flow": narrow,
        }
        params.append(json.dumps({"train": train}))
    return load_params(params).train, options.recipe, options.objective


def plain_pass(
    generator: nn.Module,
    discriminator: nn.Module,
    losses: Losses,
    adam: Adam,
    adam_discriminator: Adam,
    batch: Batch,
    weights: StepWeights,
) -> None:
    """The three steps as one writes them first: the generator runs for each update, the penalty by `autograd.grad`.

    It gives the same weights as the recipe `progressive`, which the tests hold it to.
    """
    for step, weight in zip(STEPS, weights, strict=True):
        target, points, mix = batch.targets[step - 1], batch.points[step - 1], batch.draws[step - 1]
        # Critic
        with torch.no_grad():
            fake = generator(batch.blind, step)[-1]
        real_scores, fake_scores = discriminator(target, step), discriminator(fake, step)
        between = (target + mix * (fake - target)).requires_grad_()
        (gradients,) = torch.autograd.grad(discriminator(between, step).sum(), between, create_graph=True)
        penalty = (gradients.flatten(1).norm(2, dim=1) - 1).square().mean()
        total = critic_loss(real_scores, fake_scores) + losses.penalty * penalty + losses.drift * drift(real_scores)
        adam_discriminator.zero_grad()
        total.backward()
        adam_discriminator.step()
        # Generator
        output = generator(batch.blind, step)[-1]
        total = weight["adversarial"] * adversarial_loss(discriminator(output, step))
        total = total + weight["pixel"] * losses.pixel(output, target)
        if weight["perceptual"] and losses.perceptual is not None:
            total = total + weight["perceptual"] * losses.perceptual(output, target)
        if weight["attention"]:
            total = total + weight["attention"] * losses.attention(output, target, points, batch.found)
        adam.zero_grad()
        total.backward()
        adam.step()


def random_batch(shapes: Batch, device: torch.device, layout: torch.memory_format) -> Batch:
    """A random batch of these shapes in which every image has landmarks."""

    def image(like: Tensor) -> Tensor:
        return (torch.rand(like.shape, device=device) * 2 - 1).to(memory_format=layout)

    return Batch(
        blind=image(shapes.blind),
        targets=[image(target) for target in shapes.targets],
        points=[
            torch.rand(points.shape, device=device) * target.shape[-1]
            for points, target in zip(shapes.points, shapes.targets, strict=True)
        ],
        found=torch.ones(shapes.found.shape, dtype=torch.bool, device=device),
        draws=[torch.rand(draw.shape, device=device) for draw in shapes.draws],
    )


def prepare(
    name: str,
    params: TrainParams,
    recipe: RecipeName,
    objective: Objective,
    batch_size: int,
    device: torch.device,
    processes: Processes = ALONE,
) -> Callable[[], Any]:
    """A recipe and data of one variant; returns what runs one update.

    batch_size: of this process; processes: those that train together, ours alone (`benchmarks/scaling.py`).
    """
    torch.manual_seed(0)
    precision, compiled, deterministic, recorded = VARIANTS.get(
        name, ("bf16" if name == PLAIN_BF16 else "fp32", False, False, False)
    )
    set_policy(precision, deterministic)
    shapes = meta_batch(without_values(params, recipe, objective), batch_size)
    params = params.model_copy(update={"precision": precision, "compile": compiled, "deterministic": deterministic})
    with TemporaryDirectory() as folder:
        weights: Path | None = None
        if params.perceptual.backbone != "none":
            weights = random_weights(params.perceptual.backbone, Path(folder) / "weights.pth")
        made = make_recipe(recipe, Setup(params, objective, device, processes, weights))
    made.schedule(math.inf)
    if name == PLAIN and isinstance(made, Progressive):
        return _plain(made, random_batch(shapes, device, torch.contiguous_format))
    if name in (PLAIN, PLAIN_BF16) and isinstance(made, Gan):
        judge = partial(judge_by_autograd, made.discriminator)
        made.discriminator.judge = judge  # type: ignore[method-assign]
    batch = random_batch(shapes, device, torch.channels_last)
    updates = RecordedUpdates(made) if recorded and device.type == "cuda" else None

    def once() -> None:
        if updates is None:
            made.update(batch)
        else:
            updates.run(batch)
        made.after_update()

    return once


def judge_by_autograd(discriminator: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """`ResidualDiscriminator.judge` by PyTorch's backward pass, whose derivative is a double backward."""
    images = images.detach().requires_grad_()
    scores = discriminator(images)
    (gradients,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return scores, gradients


def _plain(made: Progressive, batch: Batch) -> Callable[[], None]:
    params, weights = made.params, final_weights(made.objective)
    generator, discriminator = (
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        for network in (made.network, made.discriminator)
    )
    adam, other = (Adam(net.parameters(), params.learning_rate, params.betas) for net in (generator, discriminator))
    return lambda: plain_pass(generator, discriminator, made.losses, adam, other, batch, weights)
