"""The rectified flow on known paths."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from blindface.losses import flow_loss, flow_state, stratified_times
from blindface.networks.flow_sampling import flow_start, follow_flow, time_grid


def images() -> Tensor:
    return torch.randn(4, 3, 8, 8, dtype=torch.float64)


def test_states_lead_straight_from_start_to_target() -> None:
    start, target = images(), images()
    torch.testing.assert_close(flow_state(start, target, torch.zeros(4)), start)
    torch.testing.assert_close(flow_state(start, target, torch.ones(4)), target)
    a, b = (flow_state(start, target, torch.full((4,), time, dtype=torch.float64)) for time in (0.25, 0.75))
    torch.testing.assert_close((b - a) / 0.5, target - start)  # the velocity of a straight path


def test_the_loss_is_least_for_the_mean_velocity() -> None:
    start, target = images(), images()
    assert flow_loss(target - start, start, target) == 0
    velocity = torch.zeros_like(start, requires_grad=True)
    (gradient,) = torch.autograd.grad(flow_loss(velocity, start, target), velocity)
    torch.testing.assert_close(gradient, -2 * (target - start) / start.numel())


@pytest.mark.parametrize("times", [time_grid(1), time_grid(7), time_grid(5, power=0.5)])
def test_eulers_method_is_exact_on_straight_paths(times: list[float]) -> None:
    start, target = images(), images()

    def towards_target(state: Tensor, time: Tensor) -> Tensor:
        return (target - state) / (1 - time)[:, None, None, None]  # x - z_0 on the path, whatever the time

    torch.testing.assert_close(follow_flow(towards_target, start, times), target)


def test_eulers_method_converges_on_a_curved_path() -> None:
    start = images()
    errors = [(follow_flow(lambda z, t: z, start, time_grid(n)) - torch.e * start).abs().max() for n in (10, 100, 1000)]
    assert errors[1] < errors[0] / 8  # of first order
    assert errors[2] < errors[1] / 8


def test_a_grid_goes_from_zero_to_one_with_shorter_steps_at_the_end_for_powers_below_one() -> None:
    assert time_grid(4) == [0.0, 0.25, 0.5, 0.75, 1.0]
    bent = time_grid(4, power=0.5)
    steps = [b - a for a, b in pairwise(bent)]
    assert (bent[0], bent[-1]) == (0, 1)
    assert steps == sorted(steps, reverse=True)


def test_stratified_times_have_one_in_every_part() -> None:
    times = stratified_times(torch.rand(16))
    assert (times * 16).floor().tolist() == list(range(16))


def test_noise_is_scaled_by_sigma() -> None:
    mean, noise = images(), images()
    torch.testing.assert_close(flow_start(mean, noise, 0.1) - mean, 0.1 * noise)
