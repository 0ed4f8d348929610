"""The discriminator without normalisation: its image gradient and its double backward are autograd's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from blindface.base.errors import ParameterError
from blindface.losses import zero_centred_penalty
from blindface.networks.residual_discriminator import ResidualDiscriminator


def make(blocks: int = 2, expansion: int = 1, group_width: int | None = None) -> ResidualDiscriminator:
    """A narrow one in float64 whose every weight is away from zero."""
    torch.manual_seed(0)
    network = ResidualDiscriminator((8, 16), blocks, expansion, group_width, side=16).double()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn_like(value) * 0.1)
    return network


@pytest.mark.parametrize(("expansion", "group_width"), [(1, None), (2, 4)])
def test_scores_and_image_gradients_are_autograds(expansion: int, group_width: int | None) -> None:
    network = make(2, expansion, group_width)
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    scores, gradients = network.judge(images)
    torch.testing.assert_close(scores, network(images))
    (wanted,) = torch.autograd.grad(network(images).sum(), images)
    torch.testing.assert_close(gradients, wanted)


@pytest.mark.parametrize(("expansion", "group_width"), [(1, None), (2, 4)])
def test_the_penaltys_gradient_is_that_of_a_double_backward(expansion: int, group_width: int | None) -> None:
    network = make(1, expansion, group_width)
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    weights = list(network.parameters())
    ours = torch.autograd.grad(zero_centred_penalty(network.judge(images)[1]), weights, allow_unused=True)
    inputs = images.clone().requires_grad_()
    (gradients,) = torch.autograd.grad(network(inputs).sum(), inputs, create_graph=True)
    theirs = torch.autograd.grad(zero_centred_penalty(gradients), weights, allow_unused=True)
    for mine, wanted, weight in zip(ours, theirs, weights, strict=True):
        torch.testing.assert_close(_or_zero(mine, weight), _or_zero(wanted, weight))


def test_an_image_is_judged_without_the_others() -> None:
    network = make()
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(network(images[1:2]), network(images)[1:2])


def test_sides_and_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ParameterError, match="cannot halve 24 px"):
        ResidualDiscriminator((8, 8, 8), side=24)
    with pytest.raises(ParameterError, match="do not divide"):
        ResidualDiscriminator((8,), group_width=3, side=16)


def test_it_is_traced_as_one_graph_with_its_penalty() -> None:
    network = ResidualDiscriminator((8, 16), side=16)
    images = torch.randn(2, 3, 16, 16)
    traced = torch.compile(lambda x: zero_centred_penalty(network.judge(x)[1]), fullgraph=True, backend="eager")
    torch.testing.assert_close(traced(images), zero_centred_penalty(network.judge(images)[1]))


def _or_zero(gradient: Tensor | None, weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if gradient is None else gradient
