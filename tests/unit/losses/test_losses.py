"""The losses against closed forms, plain loops and finite differences."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from blindface.losses import (
    AttentionLoss,
    GradientPenalty,
    PixelLoss,
    adversarial_loss,
    critic_loss,
    drift,
)
from blindface.losses.attention import gaussian_deviation, weight_map
from blindface.networks import Discriminator
from blindface.params import WeightParams
from blindface.training.recipes.progressive.schedule import weight_at


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(3)


class LinearCritic(nn.Module):
    """D(x) = <w, x>: its gradient is w everywhere."""

    def __init__(self, size: int, norm: float) -> None:
        super().__init__()
        weight = torch.randn(3, size, size, dtype=torch.float64)
        self.weight = nn.Parameter(weight * norm / weight.norm())

    def forward(self, image: Tensor, step: int) -> Tensor:
        return (image * self.weight).sum(dim=(1, 2, 3))


def _images(count: int, size: int) -> Tensor:
    return torch.rand(count, 3, size, size, dtype=torch.float64) * 2 - 1


def _mix(count: int) -> Tensor:
    return torch.rand(count, 1, 1, 1, dtype=torch.float64)


def test_critic_and_generator_terms_of_known_scores() -> None:
    real, fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, -2.0])
    assert critic_loss(real, fake).item() == pytest.approx(-0.5 - 4.0)
    assert adversarial_loss(fake).item() == pytest.approx(0.5)
    assert drift(real).item() == pytest.approx((9 + 25) / 2)


@pytest.mark.parametrize("norm", [0.5, 1.0, 3.0])
def test_penalty_of_a_linear_critic_has_its_closed_form(norm: float) -> None:
    critic = LinearCritic(4, norm)
    penalty = GradientPenalty()(critic, _images(5, 4), _images(5, 4), 1, _mix(5))
    assert penalty.item() == pytest.approx((norm - 1) ** 2, abs=1e-12)
    (gradient,) = torch.autograd.grad(penalty, critic.weight)
    # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|
    torch.testing.assert_close(gradient, 2 * (norm - 1) / norm * critic.weight.detach(), atol=1e-12, rtol=1e-9)


class Opaque(nn.Module):
    """Hides all but the scores of a critic, so that the penalty differentiates it twice."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, image: Tensor, step: int) -> Tensor:
        scores: Tensor = self.critic(image, step)
        return scores


@pytest.mark.parametrize("step", [1, 2, 3])
def test_penalty_by_the_critics_own_gradient_equals_that_of_a_double_backward(step: int) -> None:
    critic = Discriminator(4).double()
    size = 16 << step
    real, fake, mix = _images(3, size), _images(3, size), _mix(3)
    results = []
    for module in (critic, Opaque(critic)):
        penalty = GradientPenalty()(module, real, fake, step, mix)
        gradients = torch.autograd.grad(penalty, list(critic.parameters()), allow_unused=True, materialize_grads=True)
        results.append((penalty, *gradients))
    assert sum(bool(gradient.any()) for gradient in results[0]) > 2 * step + 4
    for ours, other in zip(*results, strict=True):
        torch.testing.assert_close(ours, other)


def test_penalty_looks_at_the_interpolates() -> None:
    class Square(nn.Module):
        def forward(self, image: Tensor, step: int) -> Tensor:
            return image.square().sum(dim=(1, 2, 3)) / 2  # its gradient is the image itself

    real, fake, mix = _images(2, 4), _images(2, 4), torch.tensor([0.0, 0.25], dtype=torch.float64).reshape(2, 1, 1, 1)
    between = torch.stack([real[0], 0.75 * real[1] + 0.25 * fake[1]])
    expected = (between.flatten(1).norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(GradientPenalty()(Square(), real, fake, 1, mix), expected)


def test_penalty_gradient_equals_finite_differences() -> None:
    critic = Discriminator(4).double()
    real, fake, mix = _images(2, 32), _images(2, 32), _mix(2)
    weight = critic.stages[0].first.weight
    (gradient,) = torch.autograd.grad(GradientPenalty()(critic, real, fake, 1, mix), weight)
    direction = torch.randn_like(weight)
    step = 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight.add_(sign * step * direction)
        values.append(GradientPenalty()(critic, real, fake, 1, mix).item())
        with torch.no_grad():
            weight.sub_(sign * step * direction)
    assert (gradient * direction).sum().item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)


def test_penalty_norm_stays_float32_under_autocast() -> None:
    critic = Discriminator(4)
    real, fake, mix = _images(2, 32).float(), _images(2, 32).float(), _mix(2).float()
    exact = GradientPenalty()(critic, real, fake, 1, mix)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        half = GradientPenalty()(critic, real, fake, 1, mix)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(exact.item(), rel=0.05)
    assert torch.isfinite(torch.autograd.grad(half, critic.last.weight)[0]).all()


def test_pixel_loss_is_the_mean_absolute_error() -> None:
    output, target = torch.tensor([0.5, -1.0]).reshape(1, 1, 1, 2), torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    assert PixelLoss()(output, target).item() == pytest.approx(1.25)


def _attention_by_loop(output: Tensor, target: Tensor, points: Tensor, found: Tensor, window: int) -> float:
    """Equation (5) written out: image by image, landmark by landmark, pixel by pixel."""
    radius, deviation = window // 2, gaussian_deviation(window)
    offsets = [(dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)]
    bell = {o: math.exp(-(o[0] ** 2 + o[1] ** 2) / (2 * deviation**2)) for o in offsets}
    total, size = 0.0, output.shape[-1]
    for n in range(len(output)):
        for x, y in points[n].tolist() if found[n] else []:
            for dy, dx in offsets:
                row, column = math.floor(y + 0.5) + dy, math.floor(x + 0.5) + dx
                if 0 <= row < size and 0 <= column < size:
                    error = sum(abs((target - output)[n, c, row, column].item()) for c in range(3)) / 3
                    total += bell[dy, dx] / sum(bell.values()) * error
    return total / len(output)


@pytest.mark.parametrize(("size", "window"), [(64, 3), (128, 5)])
def test_attention_equals_a_plain_loop_over_landmarks(size: int, window: int) -> None:
    output, target = _images(3, size), _images(3, size)
    points = torch.rand(3, 68, 2, dtype=torch.float64) * (size + 8) - 4  # some windows are cut, some lie outside
    points[0, :4] = torch.tensor([[0.0, 0.0], [size - 1.0, 0.49], [0.5, size - 1.0], [-1.0, -1.0]], dtype=torch.float64)
    found = torch.tensor([True, False, True])
    expected = _attention_by_loop(output, target, points, found, window)
    assert AttentionLoss()(output, target, points, found).item() == pytest.approx(expected, rel=1e-9)


def test_attention_weights_of_one_landmark_inside_sum_to_one() -> None:
    weights = weight_map(torch.tensor([[[10.0, 20.0]]]), torch.tensor([True]), 64, 3)
    assert weights.sum().item() == pytest.approx(1.0, abs=1e-6)
    assert weights[0].argmax().item() == 20 * 64 + 10  # y is the row


def test_attention_at_a_corner_keeps_only_what_is_inside() -> None:
    weights = weight_map(torch.tensor([[[0.0, 0.0]]]), torch.tensor([True]), 64, 3)
    bell = [math.exp(-(d**2) / (2 * gaussian_deviation(3) ** 2)) for d in (-1, 0, 1)]
    assert weights.sum().item() == pytest.approx(((bell[1] + bell[2]) / sum(bell)) ** 2, abs=1e-6)


def test_images_without_landmarks_contribute_zero_even_if_their_points_are_nan() -> None:
    output, target = _images(2, 64).requires_grad_(), _images(2, 64)
    points = torch.full((2, 68, 2), float("nan"), dtype=torch.float64)
    points[0] = 30.0
    both = AttentionLoss()(output, target, points, torch.tensor([True, False]))
    alone = AttentionLoss()(output[:1], target[:1], points[:1], torch.tensor([True]))
    torch.testing.assert_close(both, alone / 2)
    both.backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert output.grad[1].abs().max() == 0
    assert torch.isfinite(output.grad).all()


def test_attention_is_defined_at_steps_two_and_three_only() -> None:
    with pytest.raises(ValueError, match="32 px"):
        AttentionLoss()(_images(1, 32), _images(1, 32), torch.zeros(1, 68, 2), torch.tensor([True]))


def test_gradients_of_pixel_and_attention_equal_finite_differences() -> None:
    target, points = _images(1, 64), torch.rand(1, 68, 2, dtype=torch.float64) * 63
    found = torch.tensor([True])
    output = (target + 0.3 * torch.sign(torch.randn_like(target))).requires_grad_()
    for loss in (PixelLoss(), lambda a, b: AttentionLoss()(a, b, points, found)):
        value = loss(output, target)
        (gradient,) = torch.autograd.grad(value, output)
        direction = torch.randn_like(output)
        with torch.no_grad():
            ahead, behind = loss(output + 1e-4 * direction, target), loss(output - 1e-4 * direction, target)
        assert (gradient * direction).sum().item() == pytest.approx(((ahead - behind) / 2e-4).item(), rel=1e-6)


def test_weight_grows_linearly_and_then_stays() -> None:
    weight = WeightParams(final=(1.0, 2.0, 4.0), start=0.25, ramp=10)
    assert [weight_at(weight, 3, epoch) for epoch in (0, 5, 10, 100)] == pytest.approx([1.0, 2.5, 4.0, 4.0])
    assert weight_at(weight, 1, 0) == pytest.approx(0.25)
    curve = [weight_at(weight, 2, epoch / 4) for epoch in range(60)]
    steps = [after - before for before, after in itertools.pairwise(curve)]
    assert min(steps) >= -1e-12
    assert max(steps) <= 2.0 * 0.75 / 10 / 4 + 1e-12  # never faster than the line


def test_weight_without_a_ramp_is_constant() -> None:
    assert weight_at(WeightParams(final=(1.0, 2.0, 3.0), start=0.0), 2, 0.0) == 2.0
