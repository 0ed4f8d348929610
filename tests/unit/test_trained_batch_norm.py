"""Batch norm in training: plain at first, renormalised within limits, and what it is for."""

from __future__ import annotations

import pytest
import torch
from functorch.compile import make_boxed_func, min_cut_rematerialization_partition
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd

from blindface.networks import Discriminator, Generator
from blindface.networks import trained_batch_norm as ours
from blindface.networks.trained_batch_norm import TrainedBatchNorm2d, prepare_statistics
from blindface.params import ObjectiveParams, TrainParams
from blindface.training.state import TrainingState


def plain_norm(channels: int = 3) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels).double()
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    return norm


def images(count: int = 4) -> Tensor:
    return torch.randn(count, 3, 5, 5, dtype=torch.float64) * 2 + 1


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(11)


@pytest.mark.parametrize("renormalised", [False, True])
def test_first_calls_and_evaluation_are_those_of_plain_batch_norm(renormalised: bool) -> None:
    plain, reference = plain_norm(), plain_norm()
    reference.load_state_dict(plain.state_dict())
    norm = TrainedBatchNorm2d(plain, renormalised=renormalised)
    reference.momentum = norm.momentum
    for _ in range(3):
        x = images().requires_grad_()
        again = x.detach().clone().requires_grad_()
        found, expected = norm(x), reference(again)
        torch.testing.assert_close(found, expected)
        (found**3).sum().backward()
        (expected**3).sum().backward()
        torch.testing.assert_close(x.grad, again.grad)
    torch.testing.assert_close(norm.state_dict(), reference.state_dict())
    torch.testing.assert_close(norm.eval()(x), reference.eval()(x))


def test_within_the_limits_training_gives_what_evaluation_will() -> None:
    norm = TrainedBatchNorm2d(plain_norm(), renormalised=True)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.running_mean.fill_(0.7)
    norm.running_var.fill_(5.0)
    norm.num_batches_tracked.fill_(ours.RAMP[1])
    state = {name: value.clone() for name, value in norm.state_dict().items()}
    x = images()
    trained = norm(x)
    norm.load_state_dict(state)
    torch.testing.assert_close(trained, norm.eval()(x))


@pytest.mark.parametrize(
    ("calls", "largest", "furthest"), [(ours.RAMP[1] + 9, 3.0, 5.0), (sum(ours.RAMP) // 2, 2.0, 2.5)]
)
def test_corrections_are_limited_and_constant_to_the_gradient(calls: int, largest: float, furthest: float) -> None:
    norm = TrainedBatchNorm2d(plain_norm(), renormalised=True)
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.running_var.copy_(torch.tensor([1e-3, 5.0, 1e4]))
    norm.num_batches_tracked.fill_(calls)
    assert norm.running_mean is not None
    mean_before, running = norm.running_mean.clone(), torch.sqrt(norm.running_var + norm.eps)
    x = images().requires_grad_()
    found = norm(x)
    (found**3).sum().backward()

    again = x.detach().clone().requires_grad_()
    mean = again.mean(dim=(0, 2, 3))
    deviation = torch.sqrt(again.var(dim=(0, 2, 3), correction=0) + norm.eps)
    factor = torch.tensor(
        [min(max(float(a.detach() / b), 1 / largest), largest) for a, b in zip(deviation, running, strict=True)]
    )
    offset = torch.tensor(
        [
            min(max(float((a.detach() - m) / b), -furthest), furthest)
            for a, m, b in zip(mean, mean_before, running, strict=True)
        ]
    )
    assert float(factor[0]) == largest
    assert float(offset[0]) == furthest
    per_channel = [part[:, None, None] for part in (mean, deviation, factor.double(), offset.double())]
    normalised = (again - per_channel[0]) / per_channel[1] * per_channel[2] + per_channel[3]
    expected = normalised * norm.weight.detach()[:, None, None] + norm.bias.detach()[:, None, None]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    (expected**3).sum().backward()
    torch.testing.assert_close(x.grad, again.grad, rtol=1e-5, atol=1e-5)


def test_an_image_unlike_the_others_is_seen_as_it_will_be_when_restored() -> None:
    """The reason for it all: by plain batch norm such an image hides behind the statistics that it makes."""
    plain = plain_norm(1)
    with torch.no_grad():
        plain.weight.fill_(1)
        plain.bias.fill_(0)
    hidden = TrainedBatchNorm2d(plain)
    seen = TrainedBatchNorm2d(nn.BatchNorm2d(1).double(), renormalised=True)
    assert seen.num_batches_tracked is not None
    seen.num_batches_tracked.fill_(ours.RAMP[1])
    batch = torch.randn(8, 1, 4, 4, dtype=torch.float64)
    batch[0] *= 8
    restored = nn.BatchNorm2d(1).double().eval()(batch)[0].abs().max()
    assert float(hidden(batch)[0].detach().abs().max()) < 0.5 * restored
    torch.testing.assert_close(seen(batch)[0].detach().abs().max(), restored, rtol=1e-3, atol=0)


def test_training_is_renormalised_where_the_parameters_say_so_and_files_stay_the_same() -> None:
    choice = ObjectiveParams()
    small = TrainParams(generator_channels=8, discriminator_channels=4, device="cpu")
    for wanted in (False, True):
        params = small.model_copy(update={"renormalise": wanted})
        state = TrainingState(params, "objective1", choice, torch.device("cpu"))
        norms = [module for module in state.generator.modules() if isinstance(module, nn.BatchNorm2d)]
        assert norms
        assert all((isinstance(norm, TrainedBatchNorm2d) and norm.renormalised) == wanted for norm in norms)
        assert not any(isinstance(module, TrainedBatchNorm2d) for module in state.average.modules())
        assert (
            state.generator.state_dict().keys() == Generator(8).state_dict().keys() == state.average.state_dict().keys()
        )


def test_compiled_backward_uses_the_statistics_of_the_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """It computes part of the forward anew, when the running statistics have moved; partitioned as on a GPU."""
    monkeypatch.setattr(ours, "RAMP", (0, 2))
    backend = aot_autograd(
        fw_compiler=lambda graph, _: make_boxed_func(graph.forward),
        partition_fn=min_cut_rematerialization_partition,
    )
    generator, other = (Generator(8, "unet", 1).double() for _ in range(2))
    other.load_state_dict(generator.state_dict())
    for network in (generator, other):
        prepare_statistics(network, Discriminator(4), renormalised=True)
    traced = torch.compile(lambda image: generator(image)[-1], fullgraph=True, backend=backend)
    for _ in range(4):
        blind = torch.randn(2, 3, 128, 128, dtype=torch.float64)
        found, expected = traced(blind), other(blind)[-1]
        torch.testing.assert_close(found, expected)
        for network, output in ((generator, found), (other, expected)):
            network.zero_grad()
            output.abs().mean().backward()
        for ours_, theirs in zip(generator.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(ours_.grad, theirs.grad)
    torch.testing.assert_close(generator.state_dict(), other.state_dict())
