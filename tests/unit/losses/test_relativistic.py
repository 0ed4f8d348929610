"""The relativistic losses and the zero-centred penalties, against closed forms."""

from __future__ import annotations

import math

import torch

from blindface.losses import relativistic_discriminator_loss, relativistic_generator_loss, zero_centred_penalty


def test_equal_scores_cost_log_two_and_a_gap_its_softplus() -> None:
    equal, real = torch.zeros(4), torch.full((4,), 3.0)
    assert math.isclose(relativistic_discriminator_loss(equal, equal).item(), math.log(2), rel_tol=1e-6)
    assert math.isclose(relativistic_discriminator_loss(real, equal).item(), math.log1p(math.exp(-3)), rel_tol=1e-5)
    assert math.isclose(relativistic_generator_loss(real, equal).item(), math.log1p(math.exp(3)), rel_tol=1e-5)


def test_scores_are_compared_pair_by_pair() -> None:
    real, fake = torch.tensor([5.0, -5.0]), torch.tensor([5.0, -5.0])
    assert math.isclose(relativistic_generator_loss(real, fake).item(), math.log(2), rel_tol=1e-6)
    assert relativistic_generator_loss(real, fake.flip(0)) > 4


def test_both_sides_of_the_game_pull_against_each_other() -> None:
    real, fake = torch.randn(5, requires_grad=True), torch.randn(5, requires_grad=True)
    (of_discriminator,) = torch.autograd.grad(relativistic_discriminator_loss(real, fake), fake)
    (of_generator,) = torch.autograd.grad(relativistic_generator_loss(real, fake), fake)
    gap = (fake - real).detach()
    torch.testing.assert_close(of_discriminator, torch.sigmoid(gap) / 5)  # the derivative of softplus
    torch.testing.assert_close(of_generator, -torch.sigmoid(-gap) / 5)


def test_the_penalty_of_a_quadratic_score_is_its_closed_form() -> None:
    # D(x) = sum(a x^2) / 2: grad D = a x, R = mean |a x|^2 / 2, dR / da = a mean x^2
    a = torch.rand(3, 4, 4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    (gradients,) = torch.autograd.grad((a * x.square()).sum() / 2, x, create_graph=True)
    penalty = zero_centred_penalty(gradients)
    torch.testing.assert_close(penalty, (a * x).square().flatten(1).sum(1).mean() / 2)
    (of_a,) = torch.autograd.grad(penalty, a)
    torch.testing.assert_close(of_a, (a * x.square().mean(dim=0)).detach())
