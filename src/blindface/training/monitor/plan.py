"""What a training run will take, told before it starts: parameters, arithmetic, memory and time.

The arithmetic is counted on the real steps, run on tensors without values (PyTorch's meta device): every convolution
and matrix product, forward and backward, a multiplication and an addition being two operations. The memory is that of
weights, optimisers, data and of what the steps keep for their backward passes. The time is that arithmetic at the speed
of a probe: the critic, forward and backward, on the chosen device and in the chosen precision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from blindface.base.device import choose_device, numeric_policy
from blindface.base.numerics import autocast
from blindface.losses import PerceptualLoss
from blindface.networks import Discriminator, FaceDiscriminator, Generator, count_parameters
from blindface.networks.discriminator import SIZES
from blindface.params import Objective, TrainParams, WeightParams
from blindface.training.recipes.progressive.schedule import FACES, STEPS, TERMS, final_weights
from blindface.training.recipes.progressive.steps import (
    Batch,
    Losses,
    StepRunner,
    make_face_discriminator,
    make_networks,
)
from blindface.training.updates import make_optimisers

PROBE_SECONDS = 1.0
PROBE_OPERATIONS = 5e11
COPIES = 5
"""Float32 copies of the generator: weights, gradient, two moments of Adam, moving average. The critic has one less."""


@dataclass(frozen=True)
class Plan:
    """What one objective's training takes.

    gflop: per image and full three-step pass, by part; memory_gb: on the device, at most (compiled steps keep less);
    probe_tflops: the device's measured speed on the critic; seconds: of the whole run; processes: that share a batch,
    each with that memory.
    """

    objective: Objective
    images: int
    epochs: int
    batch_size: int
    generator_parameters: int
    discriminator_parameters: int
    gflop: dict[str, float]
    memory_gb: float
    device: str
    probe_tflops: float
    seconds: float
    processes: int = 1

    @property
    def gflop_per_image(self) -> float:
        """GFLOP of one image through steps 1, 2, 3, both updates of each."""
        return sum(self.gflop.values())

    def describe(self) -> str:
        """The plan as a few lines for a person."""
        parts = ", ".join(f"{name} {value:.3g}" for name, value in self.gflop.items())
        rate = self.images * self.epochs / self.seconds
        return "\n".join(
            (
                f"{self.objective}: {self.images} images, {self.epochs} epochs, batches of {self.batch_size}"
                + (f" shared by {self.processes} processes" if self.processes > 1 else ""),
                f"parameters      generator {self.generator_parameters:,}, "
                f"discriminator {self.discriminator_parameters:,}",
                f"work            {self.gflop_per_image:.4g} GFLOP per image and three-step pass ({parts})",
                f"memory          about {self.memory_gb:.3g} GB at most",
                f"time            about {_duration(self.seconds)} at {rate:.3g} images/s on {self.device}, "
                f"{self.probe_tflops:.3g} TFLOP/s by a probe of the critic",
            )
        )


def plan(params: TrainParams, objective: Objective, images: int) -> Plan:
    """Plan the training of one objective on so many images.

    Takes a few seconds, most of them for the probe. Errors: DeviceError if params.device is not there.
    """
    device = choose_device(params.device)
    choice = params.of(objective)
    generator, discriminator, _ = _networks(params, objective)
    gflop, kept = count_work(params, objective)
    half = params.precision == "bf16" and device.type == "cuda"
    share = -(-choice.batch_size // params.processes)
    memory = fixed_bytes(params, objective, images) + kept * share / (2 if half else 1)
    per_image = sum(gflop.values()) * 1e9
    # On a processor the probe of a large network takes few images, that of a small one as many as the training
    count = min(share, max(2, int(PROBE_OPERATIONS / per_image)))
    speed = _probe(params, device, count if device.type == "cpu" else share)
    work = per_image * images * params.epochs
    return Plan(
        objective=objective,
        images=images,
        epochs=params.epochs,
        batch_size=choice.batch_size,
        generator_parameters=count_parameters(generator),
        discriminator_parameters=count_parameters(discriminator),
        gflop=gflop,
        memory_gb=memory / 1e9,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU",
        probe_tflops=speed / 1e12,
        seconds=work / speed / (params.processes if device.type == "cuda" else 1),
        processes=params.processes,
    )


def fixed_bytes(params: TrainParams, objective: Objective, images: int) -> float:
    """Bytes on each GPU that do not depend on the batch: networks, optimisers, average, data."""
    generator, *critics = _networks(params, objective)
    copies = COPIES * count_parameters(generator)
    copies += (COPIES - 1) * sum(count_parameters(critic) for critic in critics if critic is not None)
    return 4.0 * copies + images * 3 * (SIZES[-1] ** 2 + generator.input_size**2)


def _networks(params: TrainParams, objective: Objective) -> tuple[Generator, Discriminator, FaceDiscriminator | None]:
    """The networks of an objective, without values."""
    choice = params.of(objective)
    with torch.device("meta"):
        return *make_networks(params, choice), make_face_discriminator(params, choice)


def meta_batch(blind_size: int, count: int) -> Batch:
    """A batch without values."""
    return Batch(
        blind=torch.empty(count, 3, blind_size, blind_size, device="meta"),
        targets=[torch.empty(count, 3, size, size, device="meta") for size in SIZES],
        points=[torch.empty(count, 68, 2, device="meta") for _ in SIZES],
        found=torch.empty(count, dtype=torch.bool, device="meta"),
        mixes=[torch.empty(count, 1, 1, 1, device="meta") for _ in SIZES],
    )


def count_work(params: TrainParams, objective: Objective) -> tuple[dict[str, float], float]:
    """GFLOP per image by part, and the bytes of float32 values kept for backward passes at the worst moment."""
    generator, discriminator, faces = _networks(params, objective)
    choice = params.of(objective)
    backbone = params.perceptual.backbone
    perceptual = None if backbone == "none" else PerceptualLoss(backbone, params.perceptual.layers, None)
    if perceptual is None:
        choice = choice.model_copy(update={"perceptual": WeightParams()})
    optimisers = make_optimisers(generator, discriminator, params.learning_rate, params.betas, faces)
    losses = Losses(perceptual)
    runner = StepRunner(
        generator, discriminator, losses, optimisers, active=final_weights(choice), face_discriminator=faces
    )
    batch = meta_batch(generator.input_size, count=2)  # more than one, for the deviation over the batch
    operations: dict[str, float] = {}
    most = 0.0
    for step in STEPS:
        kept: dict[str, int] = {}
        for name, region in _regions(runner, batch, step):
            with FlopCounterMode(display=False) as counter, _saved_bytes() as saved:
                region()
            operations[name] = operations.get(name, 0.0) + counter.get_total_flops()
            kept.setdefault(name, saved[0])
        most = max(most, kept["generator"] + max(kept.get("critic", 0), kept["losses"]))
    return {name: value / 2 / 1e9 for name, value in operations.items()}, most / 2


def _regions(runner: StepRunner, batch: Batch, step: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """The parts of a step in their order, as functions to be called once."""
    target, points = batch.targets[step - 1], batch.points[step - 1]
    weights = torch.empty(len(TERMS), device="meta")
    image: list[Tensor] = []

    def generate() -> None:
        image.append(runner._generate_region(batch.blind, step))

    def criticise() -> None:
        total, _ = runner._critic_region(target, image[0].detach(), batch.mixes[step - 1], step)
        total.backward()  # type: ignore[no-untyped-call]

    def criticise_faces() -> None:
        mix = batch.mixes[step - 1]
        total, _ = runner._face_critic_region(target, image[0].detach(), points, batch.found, mix)
        total.backward()  # type: ignore[no-untyped-call]

    def judge() -> None:
        image.append(image[0].detach().requires_grad_())
        total, _ = runner._generator_region(image[1], target, points, batch.found, weights, step)
        total.backward()  # type: ignore[no-untyped-call]

    def finish() -> None:
        image[0].backward(image[1].grad)  # type: ignore[no-untyped-call]

    yield "generator", generate
    if runner.active[step - 1][0] > 0:
        yield "critic", criticise
    if runner.active[step - 1][FACES] > 0:
        yield "critic", criticise_faces
    yield "losses", judge
    yield "generator", finish


@contextmanager
def _saved_bytes() -> Iterator[list[int]]:
    """The bytes of the different tensors saved for backward within the block, in a list of one number."""
    storages = {}

    def pack(tensor: Tensor) -> Tensor:
        if not (tensor.is_leaf and tensor.requires_grad):  # weights are counted by themselves
            storage = tensor.untyped_storage()
            storages[storage._cdata] = storage  # held, so that no address is used twice
        return tensor

    result = [0]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield result
    result[0] = sum(storage.nbytes() for storage in storages.values())


def _probe(params: TrainParams, device: torch.device, count: int) -> float:
    """Operations per second of the critic at step 3, forward and backward, after a run to warm up."""
    layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
    with torch.random.fork_rng(devices=[]), numeric_policy(params.precision, params.deterministic):
        critic = Discriminator(params.discriminator_channels).to(device)
        critic = critic.to(memory_format=layout)  # type: ignore[call-overload]
        images = torch.zeros(count, 3, SIZES[-1], SIZES[-1], device=device).to(memory_format=layout)

        def once() -> None:
            with autocast(params.precision, device):
                critic(images, 3).sum().backward()

        with FlopCounterMode(display=False) as counter:
            once()
        operations: int = counter.get_total_flops()
        return operations / _seconds(once, device)


def _seconds(once: Callable[[], None], device: torch.device) -> float:
    """Mean duration of a call, over about a second and three calls at least."""

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    start, calls = clock(), 0
    while calls < 3 or clock() - start < PROBE_SECONDS:
        once()
        calls += 1
    return (clock() - start) / calls


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
