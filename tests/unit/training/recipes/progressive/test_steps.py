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

import blindface.training.recipes.progressive.steps
from blindface.base.errors import ParameterError
from blindface.networks import Discriminator, FaceDiscriminator, Generator
from blindface.params import ObjectiveParams, WeightParams
from blindface.training.recipes.progressive.schedule import final_weights, weights_at
from blindface.training.recipes.progressive.steps import Batch, Losses, StepRunner
from blindface.training.updates import average_decay, make_optimisers, update_average

ROOT = Path(__file__).parents[5]
CHOICE = ObjectiveParams(
    adversarial=WeightParams(final=(1.0, 1.0, 1.0)),
    pixel=WeightParams(final=(10.0, 10.0, 10.0)),
    perceptual=WeightParams(),
    attention=WeightParams(final=(0.0, 0.5, 0.25)),
)


FACES = CHOICE.model_copy(update={"face_adversarial": WeightParams(final=(0.0, 0.0, 0.5))})


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
        mixes=[torch.rand(count, 1, 1, 1) for _ in sizes],
    )


def _runner(choice: ObjectiveParams = CHOICE, **options: Any) -> StepRunner:
    generator, discriminator = _networks()
    faces = FaceDiscriminator(4) if any(choice.face_adversarial.final) else None
    optimisers = make_optimisers(generator, discriminator, 1e-3, (0.0, 0.99), faces)
    options = {"active": final_weights(choice), "face_discriminator": faces, **options}
    return StepRunner(generator, discriminator, Losses(None), optimisers, **options)


def _parameters(runner: StepRunner) -> list[Tensor]:
    return [value.detach().clone() for net in _trained(runner) if net is not None for value in net.parameters()]


def _trained(runner: StepRunner) -> tuple[nn.Module | None, ...]:
    return runner.generator, runner.discriminator, runner.face_discriminator


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    """The benchmark, which holds the method written plainly."""
    spec = importlib.util.spec_from_file_location("benchmark_variants", ROOT / "benchmarks" / "variants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("choice", [CHOICE, FACES], ids=["one critic", "two critics"])
def test_two_batches_give_the_weights_of_the_plain_loop(plain: ModuleType, choice: ObjectiveParams) -> None:
    runner, batch, weights = _runner(choice), _batch(), weights_at(choice, 0.0)
    networks = [network for network in _trained(runner) if network is not None]
    for network in networks:
        network.double()
    batch = Batch(
        batch.blind.double(),
        [target.double() for target in batch.targets],
        [points.double() for points in batch.points],
        batch.found,
        [mix.double() for mix in batch.mixes],
    )
    generator, discriminator, faces = (copy.deepcopy(network) for network in _trained(runner))
    assert generator is not None
    assert discriminator is not None
    adams = make_optimisers(generator, discriminator, 1e-3, (0.0, 0.99), faces)
    for _ in range(2):
        runner.run(batch, weights)
        plain.plain_pass(generator, discriminator, Losses(None), adams, batch, weights, faces)
    expected = [value for network in (generator, discriminator, faces) if network for value in network.parameters()]
    # Adam divides by the root of the mean square: rounding of gradients near zero grows
    for ours, other in zip(_parameters(runner), expected, strict=True):
        torch.testing.assert_close(ours, other.detach(), atol=1e-6, rtol=1e-6)


def test_metrics_name_every_term_of_every_step() -> None:
    metrics = _runner().run(_batch(), weights_at(CHOICE, 0.0))
    critic = {"critic_gap", "penalty", "drift", "gradient_norm_discriminator"}
    common = critic | {"adversarial", "pixel", "total", "gradient_norm_generator"}
    expected = {f"{name}/{step}" for step in (1, 2, 3) for name in common} | {"attention/2", "attention/3"}
    assert metrics.keys() == expected
    assert all(value.ndim == 0 and not value.requires_grad and torch.isfinite(value) for value in metrics.values())


def test_total_is_the_weighted_sum_of_the_terms() -> None:
    metrics = _runner().run(_batch(), weights_at(CHOICE, 0.0))
    expected = metrics["adversarial/3"] + 10 * metrics["pixel/3"] + 0.25 * metrics["attention/3"]
    torch.testing.assert_close(metrics["total/3"], expected)


def test_without_adversarial_loss_the_critic_rests() -> None:
    choice = CHOICE.model_copy(update={"adversarial": WeightParams()})
    runner = _runner(choice)
    before = [value.clone() for value in runner.discriminator.parameters()]
    metrics = runner.run(_batch(), weights_at(choice, 0.0))
    assert not any(name.startswith(("critic", "penalty", "adversarial")) for name in metrics)
    assert all(torch.equal(a, b) for a, b in zip(before, runner.discriminator.parameters(), strict=True))


def test_running_statistics_move_once_per_step() -> None:
    runner = _runner()
    runner.run(_batch(), weights_at(CHOICE, 0.0))
    tracked = {name: int(value) for name, value in runner.generator.state_dict().items() if name.endswith("tracked")}
    assert tracked["stem.1.num_batches_tracked"] == 3  # steps 1, 2, 3
    assert tracked["steps.2.2.num_batches_tracked"] == 1  # step 3 only


def test_no_gradient_is_left_behind() -> None:
    runner = _runner()
    runner.run(_batch(), weights_at(CHOICE, 0.0))
    for network in (runner.generator, runner.discriminator):
        assert all(parameter.grad is None for parameter in network.parameters())


def test_gradients_are_averaged_before_every_update() -> None:
    calls: list[int] = []
    runner = _runner(average_gradients=lambda gradients: calls.append(len(gradients)))
    runner.run(_batch(), weights_at(CHOICE, 0.0))
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
    ramp = FACES.model_copy(update={"pixel": WeightParams(final=(10.0, 10.0, 10.0), start=0.1, ramp=4)})
    eager, compiled = _runner(ramp), _runner(ramp, compile=True)
    for epoch in (0.0, 1.0):
        for runner in (eager, compiled):
            runner.run(_batch(), weights_at(ramp, epoch))
    for ours, other in zip(_parameters(eager), _parameters(compiled), strict=True):
        torch.testing.assert_close(ours, other, atol=1e-6, rtol=1e-5)
    counters = torch._dynamo.utils.counters
    assert not counters["graph_break"]
    assert counters["stats"]["unique_graphs"] == 10  # three regions, three steps, the faces; none for another weight


def test_losses_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"backbone is none"):
        _runner(ObjectiveParams())
    with pytest.raises(ParameterError, match=r"weight 0\.5 at step 1"):
        _runner(CHOICE.model_copy(update={"attention": WeightParams(final=(0.5, 0.5, 0.5))}))
    nothing = {name: WeightParams() for name in ("adversarial", "pixel", "attention")}
    with pytest.raises(ParameterError, match="all losses have weight 0 at step 1"):
        _runner(CHOICE.model_copy(update=nothing))


def test_discriminators_learn_at_their_own_multiple_of_the_rate() -> None:
    networks = (*_networks(), FaceDiscriminator(4))
    optimisers = make_optimisers(networks[0], networks[1], 1e-3, (0.0, 0.99), networks[2], discriminator_rate=2.5)

    def rates() -> list[float]:
        return [adam.param_groups[0]["lr"] for adam in optimisers.all()]

    assert rates() == pytest.approx([1e-3, 2.5e-3, 2.5e-3])
    optimisers.set_learning_rate(2e-4)
    assert rates() == pytest.approx([2e-4, 5e-4, 5e-4])


def test_average_moves_by_its_decay() -> None:
    average, network = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.constant_(network.weight, 3.0)  # type: ignore[arg-type]
    assert network.running_mean is not None
    network.running_mean.fill_(8.0)
    network(torch.randn(4, 2))
    mean = network.running_mean.clone()
    update_average(average, network, 0.75)
    torch.testing.assert_close(average.weight.detach(), torch.full((2,), 1.0 + 0.25 * 2.0))
    torch.testing.assert_close(average.running_mean, 0.25 * mean)
    assert average.num_batches_tracked == 1


def test_average_forgets_its_first_weights_soon() -> None:
    assert average_decay(0.999, 0) == pytest.approx(0.1)
    assert average_decay(0.999, 100_000) == 0.999
