"""What a training takes, before it begins: sizes, arithmetic per image, memory, and the time on this machine.

The arithmetic is counted on the recipe's own update, run on tensors without values (PyTorch's meta device): every
convolution and matrix product, forward and backward, a multiplication and an addition being two operations. The memory
is that of weights, optimisers, data and of what the update keeps for its backward passes, at its worst moment. The time
is that arithmetic at the speed of a probe: convolutions, forward and backward, on the chosen device and precision.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from blindface.base.device import choose_device, numeric_policy
from blindface.base.numerics import autocast
from blindface.networks import count_parameters
from blindface.params import Objective, RecipeName, TrainParams, model_name
from blindface.training.data import Batch
from blindface.training.recipes import Recipe, Setup, make_recipe

PROBE_SECONDS = 1.0
SIZES = (32, 64, 128)
COPIES = 4
"""Float32 copies of a trained network: weights, gradient, two moments of Adam. The generator has its EMA besides."""


@dataclass(frozen=True)
class Plan:
    """What one model's training takes.

    parameters: by network; gflop: per image and update; memory_gb: on the device, at most (compiled updates keep less);
    probe_tflops: the device's measured speed on convolutions; seconds: of the whole run; processes: that share a batch,
    each with that memory.
    """

    model: str
    images: int
    epochs: int
    batch_size: int
    parameters: dict[str, int]
    gflop: float
    memory_gb: float
    device: str
    probe_tflops: float
    seconds: float
    processes: int = 1

    def describe(self) -> str:
        """The plan as a few lines for a person."""
        rate = self.images * self.epochs / self.seconds
        return "\n".join(
            (
                f"{self.model}: {self.images} images, {self.epochs} epochs, batches of {self.batch_size}"
                + (f" shared by {self.processes} processes" if self.processes > 1 else ""),
                "parameters      " + ", ".join(f"{name} {count:,}" for name, count in self.parameters.items()),
                f"work            {self.gflop:.4g} GFLOP per image and update",
                f"memory          about {self.memory_gb:.3g} GB at most",
                f"time            about {_duration(self.seconds)} at {rate:.3g} images/s on {self.device}, "
                f"{self.probe_tflops:.3g} TFLOP/s by a probe of convolutions",
            )
        )


def plan(params: TrainParams, recipe: RecipeName, objective: Objective, images: int) -> Plan:
    """Plan the training of one model on so many images.

    Takes a few seconds, most of them for the probe. Errors: DeviceError if params.device is not there.
    """
    device = choose_device(params.device)
    made = without_values(params, recipe, objective)
    gflop, kept = count_work(made)
    epochs, batch_size = made.params.epochs, made.batch_size
    half = params.precision == "bf16" and device.type == "cuda"
    memory = fixed_bytes(made, images) + kept * -(-batch_size // params.processes) / (2 if half else 1)
    speed = _probe(params, device)
    return Plan(
        model=model_name(recipe, objective),
        images=images,
        epochs=epochs,
        batch_size=batch_size,
        parameters={name: count_parameters(network) for name, network in made.networks().items()},
        gflop=gflop,
        memory_gb=memory / 1e9,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU",
        probe_tflops=speed / 1e12,
        seconds=gflop * 1e9 * images * epochs / speed / (params.processes if device.type == "cuda" else 1),
        processes=params.processes,
    )


def without_values(params: TrainParams, recipe: RecipeName, objective: Objective) -> Recipe:
    """A recipe whose tensors have shapes and no values."""
    return make_recipe(recipe, Setup(params, objective, torch.device("meta")))


def fixed_bytes(recipe: Recipe, images: int) -> float:
    """Bytes on each GPU that do not depend on the batch: networks, optimisers, average, data."""
    copies = COPIES * sum(count_parameters(network) for network in recipe.networks().values())
    copies += count_parameters(recipe.ema)
    return 4.0 * copies + images * 3 * (SIZES[-1] ** 2 + _input_size(recipe) ** 2)


def count_work(recipe: Recipe) -> tuple[float, float]:
    """GFLOP per image and update, and the bytes of float32 values kept for backward passes at the worst moment.

    recipe: made by `without_values`; of updates of different kinds, the mean work and the worst moment of all.
    """
    count = 2  # more than one, for deviations over the batch
    batch = meta_batch(recipe, count)
    operations, most = 0.0, 0.0
    weights = [weight for network in recipe.networks().values() for weight in network.parameters()]
    for place in range(recipe.period):
        recipe.updates = place
        with FlopCounterMode(display=False) as counter, _saved_bytes(weights) as saved:
            recipe.update(batch)
        operations += counter.get_total_flops() / recipe.period
        most = max(most, saved.most)
    return operations / count / 1e9, most / count


def _input_size(recipe: Recipe) -> int:
    return int(recipe.network.input_size)  # type: ignore[arg-type]


def meta_batch(recipe: Recipe, count: int) -> Batch:
    """A batch of a recipe made by `without_values`, without values itself."""
    side = _input_size(recipe)
    return Batch(
        blind=torch.empty(count, 3, side, side, device="meta"),
        targets=[torch.empty(count, 3, size, size, device="meta") for size in SIZES],
        points=[torch.empty(count, 68, 2, device="meta") for _ in SIZES],
        found=torch.empty(count, dtype=torch.bool, device="meta"),
        draws=[draw[:count] for draw in recipe.draws(0, 0, 1)],
    )


class _Saved:
    """Counts the bytes that are saved for backward passes: those of each storage while any tensor of it is held."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self.now, self.most = 0, 0
        self.holders: dict[int, int] = {}
        self.weights = {weight.untyped_storage()._cdata for weight in weights}

    def hold(self, tensor: Tensor) -> _Held | Tensor:
        """What autograd keeps in a tensor's place; weights are counted by themselves."""
        return tensor if tensor.untyped_storage()._cdata in self.weights else _Held(self, tensor)


class _Held:
    def __init__(self, saved: _Saved, tensor: Tensor) -> None:
        self.saved, self.tensor = saved, tensor
        self.storage = tensor.untyped_storage()
        self.key: int = self.storage._cdata
        if saved.holders.setdefault(self.key, 0) == 0:
            saved.now += self.storage.nbytes()
            saved.most = max(saved.most, saved.now)
        saved.holders[self.key] += 1

    def __del__(self) -> None:
        self.saved.holders[self.key] -= 1
        if self.saved.holders[self.key] == 0:
            self.saved.now -= self.storage.nbytes()


@contextmanager
def _saved_bytes(weights: Iterable[Tensor]) -> Iterator[_Saved]:
    saved = _Saved(weights)

    def give(held: Any) -> Tensor:
        tensor: Tensor = held.tensor if isinstance(held, _Held) else held
        return tensor

    # What only the garbage collector frees counts as held, whenever it would run
    collects = gc.isenabled()
    gc.disable()
    try:
        with torch.autograd.graph.saved_tensors_hooks(saved.hold, give):
            yield saved
    finally:
        if collects:
            gc.enable()


def _probe(params: TrainParams, device: torch.device) -> float:
    """Operations per second of 3x3 convolutions, forward and backward, after a run to warm up."""
    fast = device.type == "cuda"
    layout = torch.channels_last if fast else torch.contiguous_format
    with torch.random.fork_rng(devices=[]), numeric_policy(params.precision, params.deterministic):
        layers = [nn.Sequential(nn.Conv2d(128, 128, 3, padding=1), nn.ReLU()) for _ in range(4)]
        network = nn.Sequential(*layers).to(device).to(memory_format=layout)  # type: ignore[call-overload]
        images = torch.zeros(64 if fast else 2, 128, 64, 64, device=device).to(memory_format=layout)

        def once() -> None:
            with autocast(params.precision, device):
                network(images).sum().backward()

        with FlopCounterMode(display=False) as counter:
            once()
        return float(counter.get_total_flops()) / _seconds(once, device)


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
