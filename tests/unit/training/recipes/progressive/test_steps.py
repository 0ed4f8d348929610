"""The steps that update both networks, against the same method written plainly."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam

import blindface.training.recipes.progressive.steps
from blindface.base.errors import ParameterError
from blindface.networks import Discriminator, Generator
from blindface.params import ObjectiveParams, WeightParams
from blindface.training.data import Batch
from blindface.training.recipes.progressive.losses import Losses
from blindface.training.recipes.progressive.schedule import final_weights, weights_at
from blindface.training.recipes.progressive.steps import Steps
from blindface.training.updates import make_adam

ROOT = Path(__file__).parents[5]
CHOICE = ObjectiveParams(
    adversarial=WeightParams(final=(1.0, 1.0, 1.0)),
    pixel=WeightParams(final=(10.0, 10.0, 10.0)),
    perceptual=WeightParams(),
    attention=WeightParams(final=(0.0, 0.5, 0.25)),
)


def _networks() -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    return Generator(8), Discriminator(4)


def _batch(count: int = 2) -> Batch:
    torch.manual_seed(1)
    sizes = (32, 64, 128)
    return Batch(
        blind=torch.rand(count, 3, 16, 16) * 2 - 1,
        targets=[torch.rand(count, 3, size, size) * 2 - 1 for size in sizes],
        points=[torch.rand(count, 68, 2) * size for size in sizes],
        found=torch.tensor([True] * (count - 1) + [False]),
        draws=[torch.rand(count, 1, 1, 1) for _ in sizes],
    )


def _adam(network: nn.Module) -> Adam:
    return make_adam(network.parameters(), 1e-3, (0.0, 0.99))


def _steps(choice: ObjectiveParams = CHOICE, double: bool = False, **options: Any) -> Steps:
    generator, discriminator = _networks()
    if double:
        generator, discriminator = generator.double(), discriminator.double()
    adams = _adam(generator), _adam(discriminator)
    steps = Steps(generator, discriminator, Losses(None), *adams, active=final_weights(choice), **options)
    steps.set_weights(weights_at(choice, 0.0))
    return steps


def _parameters(steps: Steps) -> list[Tensor]:
    return [value.detach().clone() for net in (steps.generator, steps.discriminator) for value in net.parameters()]


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    """The benchmark, which holds the method written plainly."""
    spec = importlib.util.spec_from_file_location("benchmark_variants", ROOT / "benchmarks" / "variants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_batches_give_the_weights_of_the_plain_loop(plain: ModuleType) -> None:
    steps, batch, weights = _steps(double=True), _batch(), weights_at(CHOICE, 0.0)
    batch = Batch(
        batch.blind.double(),
        [target.double() for target in batch.targets],
        [points.double() for points in batch.points],
        batch.found,
        [mix.double() for mix in batch.draws],
    )
    generator, discriminator = copy.deepcopy(steps.generator), copy.deepcopy(steps.discriminator)
    adams = _adam(generator), _adam(discriminator)
    for _ in range(2):
        steps.run(batch)
        plain.plain_pass(generator, discriminator, Losses(None), *adams, batch, weights)
    expected = [value for network in (generator, discriminator) for value in network.parameters()]
    # Adam divides by the root of the mean square: rounding of gradients near zero grows
    for ours, other in zip(_parameters(steps), expected, strict=True):
        torch.testing.assert_close(ours, other.detach(), atol=1e-6, rtol=1e-6)


def test_metrics_name_every_term_of_every_step() -> None:
    metrics = _steps().run(_batch())
    critic = {"critic_gap", "penalty", "drift", "gradient_norm_discriminator"}
    common = critic | {"adversarial", "pixel", "total", "gradient_norm_generator"}
    expected = {f"{name}/{step}" for step in (1, 2, 3) for name in common} | {"attention/2", "attention/3"}
    assert metrics.keys() == expected
    assert all(value.ndim == 0 and not value.requires_grad and torch.isfinite(value) for value in metrics.values())


def test_total_is_the_weighted_sum_of_the_terms() -> None:
    metrics = _steps().run(_batch())
    expected = metrics["adversarial/3"] + 10 * metrics["pixel/3"] + 0.25 * metrics["attention/3"]
    torch.testing.assert_close(metrics["total/3"], expected)


def test_without_adversarial_loss_the_critic_rests() -> None:
    choice = CHOICE.model_copy(update={"adversarial": WeightParams()})
    steps = _steps(choice)
    before = [value.clone() for value in steps.discriminator.parameters()]
    metrics = steps.run(_batch())
    assert not any(name.startswith(("critic", "penalty", "adversarial")) for name in metrics)
    assert all(torch.equal(a, b) for a, b in zip(before, steps.discriminator.parameters(), strict=True))


def test_running_statistics_move_once_per_step() -> None:
    steps = _steps()
    steps.run(_batch())
    tracked = {name: int(value) for name, value in steps.generator.state_dict().items() if name.endswith("tracked")}
    assert tracked["stem.1.num_batches_tracked"] == 3  # steps 1, 2, 3
    assert tracked["steps.2.2.num_batches_tracked"] == 1  # step 3 only


def test_no_gradient_is_left_behind() -> None:
    steps = _steps()
    steps.run(_batch())
    for network in (steps.generator, steps.discriminator):
        assert all(parameter.grad is None for parameter in network.parameters())


def test_gradients_are_averaged_before_every_update() -> None:
    calls: list[int] = []
    steps = _steps(average_gradients=lambda gradients: calls.append(len(gradients)))
    steps.run(_batch())
    assert len(calls) == 6  # critic and generator, three steps
    assert calls[0] < calls[2] < calls[4]  # a later step uses more of the critic


@pytest.mark.slow
def test_regions_compile_as_whole_graphs_and_give_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    # Traced and differentiated as on a GPU, without its code generator, which takes minutes on a processor.
    monkeypatch.setattr(
        blindface.training.recipes.progressive.steps,
        "_compiled",
        lambda region: torch.compile(region, dynamic=False, fullgraph=True, backend="aot_eager"),
    )
    torch._dynamo.utils.counters.clear()  # of other tests in this process
    ramp = CHOICE.model_copy(update={"pixel": WeightParams(final=(10.0, 10.0, 10.0), start=0.1, ramp=4)})
    eager, compiled = _steps(ramp), _steps(ramp, compile=True)
    for epoch in (0.0, 1.0):
        for steps in (eager, compiled):
            steps.set_weights(weights_at(ramp, epoch))
            steps.run(_batch())
    for ours, other in zip(_parameters(eager), _parameters(compiled), strict=True):
        torch.testing.assert_close(ours, other, atol=1e-6, rtol=1e-5)
    counters = torch._dynamo.utils.counters
    assert not counters["graph_break"]
    assert counters["stats"]["unique_graphs"] == 9  # three regions, three steps; none for another weight


def test_losses_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"backbone is none"):
        _steps(ObjectiveParams())
    with pytest.raises(ParameterError, match=r"weight 0\.5 at step 1"):
        _steps(CHOICE.model_copy(update={"attention": WeightParams(final=(0.5, 0.5, 0.5))}))
    nothing = {name: WeightParams() for name in ("adversarial", "pixel", "attention")}
    with pytest.raises(ParameterError, match="all losses have weight 0 at step 1"):
        _steps(CHOICE.model_copy(update=nothing))
