"""Recorded steps: the weights of steps that are started one by one, from inputs, rates and weights that change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from blindface.base.device import numeric_policy
from blindface.networks import Discriminator, Generator
from blindface.params import ObjectiveParams, WeightParams
from blindface.training.recipes.progressive.schedule import final_weights, weights_at
from blindface.training.recipes.progressive.steps import Batch, Losses, StepRunner
from blindface.training.session.recorded import WARM_UP, RecordedSteps
from blindface.training.updates import make_optimisers

CHOICE = ObjectiveParams(
    adversarial=WeightParams(final=(1.0, 1.0, 1.0), ramp=2.0),
    pixel=WeightParams(final=(10.0, 10.0, 10.0)),
    perceptual=WeightParams(),
    attention=WeightParams(final=(0.0, 0.5, 0.25)),
)
BATCHES = WARM_UP + 3


def make_runner(device: str = "cpu") -> StepRunner:
    torch.manual_seed(0)
    generator, discriminator = Generator(8).to(device), Discriminator(4).to(device)
    optimisers = make_optimisers(generator, discriminator, 1e-3, (0.0, 0.99))
    return StepRunner(generator, discriminator, Losses(None), optimisers, active=final_weights(CHOICE))


def make_batch(number: int, device: str = "cpu") -> Batch:
    torch.manual_seed(number)
    sizes = (32, 64, 128)
    return Batch(
        blind=(torch.rand(2, 3, 16, 16) * 2 - 1).to(device),
        targets=[(torch.rand(2, 3, size, size) * 2 - 1).to(device) for size in sizes],
        points=[(torch.rand(2, 68, 2) * size).to(device) for size in sizes],
        found=torch.tensor([True, number % 2 == 0]).to(device),
        mixes=[torch.rand(2, 1, 1, 1).to(device) for _ in sizes],
    )


def state(runner: StepRunner) -> list[Tensor]:
    """Everything that a batch moves, as the tensors themselves."""
    moments = [
        value
        for optimiser in runner.optimisers.all()
        for parameter in optimiser.param_groups[0]["params"]
        for value in optimiser.state[parameter].values()
    ]
    return [*runner.generator.state_dict().values(), *runner.discriminator.state_dict().values(), *moments]


class Tape:
    """Keeps to a CUDA graph's terms on a CPU: recording moves nothing; each run reads and fills the same tensors."""

    def __init__(self, runner: StepRunner) -> None:
        self.runner = runner
        self.runs = 0

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def record(self, once: Callable[[], dict[str, Tensor]]) -> tuple[Callable[[], None], dict[str, Tensor]]:
        assert all(group["capturable"] for group in self.groups())
        self.tell(capturable=False)  # which PyTorch refuses on a CPU
        before = [value.clone() for value in state(self.runner)]
        terms = once()
        for value, old in zip(state(self.runner), before, strict=True):
            value.detach().copy_(old)
            assert value.grad is None

        def replay() -> None:
            self.runs += 1
            for name, value in once().items():
                terms[name].copy_(value)

        return replay, terms

    def groups(self) -> list[dict[str, Any]]:
        return [group for optimiser in self.runner.optimisers.all() for group in optimiser.param_groups]

    def tell(self, capturable: bool) -> None:
        for group in self.groups():
            group["capturable"] = capturable


class Refusal(Tape):
    """A device that gives up in the middle of a recording."""

    def record(self, once: Callable[[], dict[str, Tensor]]) -> tuple[Callable[[], None], dict[str, Tensor]]:
        weight = next(self.runner.generator.parameters())
        weight.grad = torch.ones_like(weight)
        raise RuntimeError("operation not permitted when stream is capturing")


def train(steps: StepRunner | RecordedSteps, runner: StepRunner, device: str = "cpu") -> list[dict[str, float]]:
    """A few batches, each with other images, weights of the losses and rate; the terms of each."""
    found = []
    for number in range(BATCHES):
        runner.optimisers.set_learning_rate(1e-3 / (1 + number))
        terms = steps.run(make_batch(number, device), weights_at(CHOICE, number / 2))
        found.append({name: float(value) for name, value in terms.items()})
    return found


def test_a_recording_gives_the_weights_and_terms_of_single_steps() -> None:
    plain, runner = make_runner(), make_runner()
    tape = Tape(runner)
    assert train(RecordedSteps(runner, tape), runner) == train(plain, plain)
    assert tape.runs == BATCHES - WARM_UP
    for ours, other in zip(state(runner), state(plain), strict=True):
        assert torch.equal(ours, other)


def test_without_a_recording_the_steps_go_on_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    plain, runner = make_runner(), make_runner()
    assert train(RecordedSteps(runner, Refusal(runner)), runner) == train(plain, plain)
    said = capsys.readouterr()
    assert (said.out + said.err).count("each kernel is started by itself: operation not permitted") == 1
    for ours, other in zip(state(runner), state(plain), strict=True):
        assert torch.equal(ours, other)


def test_memory_that_does_not_suffice_is_not_hidden() -> None:
    class Full(Tape):
        def record(self, once: Callable[[], dict[str, Tensor]]) -> tuple[Callable[[], None], dict[str, Tensor]]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    runner = make_runner()
    with pytest.raises(torch.OutOfMemoryError):
        train(RecordedSteps(runner, Full(runner)), runner)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_cuda_graph_gives_the_weights_of_single_steps() -> None:
    with numeric_policy("fp32", deterministic=True):
        plain, runner = make_runner("cuda"), make_runner("cuda")
        recorded = RecordedSteps(runner)
        found, expected = train(recorded, runner, "cuda"), train(plain, plain, "cuda")
    assert recorded._recording is not None
    for ours, other in zip(found, expected, strict=True):
        assert ours == pytest.approx(other, rel=1e-3, abs=1e-4)
    pairs = list(zip(state(runner), state(plain), strict=True))
    print(f"to the bit: {sum(torch.equal(*pair) for pair in pairs)} of {len(pairs)} tensors")
    # Should an algorithm sum in another order: Adam's first updates are as large for a gradient of rounding as for any
    away = torch.cat([(ours.double() - other.double()).abs().flatten() for ours, other in pairs])
    assert away.mean() < 1e-5
