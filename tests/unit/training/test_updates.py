"""How weights move: the limit of a gradient, the learning rate, the EMA."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from blindface.training.updates import average_decay, decayed, descend, make_adam, set_learning_rate, update_average


def test_a_limited_gradient_keeps_its_direction_and_tells_its_own_norm() -> None:
    weight = nn.Parameter(torch.zeros(2))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    norm = descend(optimiser, (weight * torch.tensor([3.0, 4.0])).sum(), most=1.0)
    assert float(norm) == pytest.approx(5.0)  # 3, 4, 5
    torch.testing.assert_close(weight.detach(), torch.tensor([-0.6, -0.8]))
    assert weight.grad is None


def test_learning_rate_falls_linearly_over_the_last_share_of_the_run() -> None:
    rates = [decayed(0.01, 0.4, 10, epoch) for epoch in (0, 6, 7, 8, 9, 9.9)]
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.0075, 0.005, 0.0025, 0.00025])
    assert decayed(0.01, 0.0, 10, 1.9) == 0.01
    assert decayed(1.0, 0.5, 10, 10.0, least=0.02) == pytest.approx(0.02)
    assert decayed(1.0, 0.5, 10, 7.5, least=0.02) == pytest.approx(0.51)  # half of the way


def test_weight_decay_is_adams_and_the_rate_is_set_for_all_groups() -> None:
    weight = nn.Parameter(torch.ones(1))
    optimiser = make_adam([weight], 0.1, (0.9, 0.99), weight_decay=0.5)
    set_learning_rate(optimiser, 0.2)
    descend(optimiser, 0.0 * weight.sum())
    assert float(weight.detach()) == pytest.approx(1 - 0.2 * 0.5)  # decoupled: w <- w - lr wd w


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
