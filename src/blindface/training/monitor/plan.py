"""What a training takes, before it begins: sizes, arithmetic per image, memory, and the time on this machine.

The arithmetic and the memory are those of `monitor.work`, with weights, optimisers and data besides. The time is that
arithmetic at the speed of a probe: convolutions, forward and backward, on the chosen device and precision.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from blindface.base.device import choose_device, numeric_policy
from blindface.base.numerics import autocast
from blindface.networks import count_parameters
from blindface.params import Objective, RecipeName, TrainParams, model_name
from blindface.training.monitor.work import count_work, fixed_bytes, without_values

PROBE_SECONDS = 1.0


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
