"""The critic of faces: what it sees, its gradient, and its part in the steps."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from blindface.base.errors import ParameterError
from blindface.landmarks.geometry import TEMPLATE
from blindface.losses import face_crops
from blindface.losses.adversarial import image_gradient_by_autograd
from blindface.losses.face_crops import crop_weights
from blindface.networks import FaceDiscriminator, count_parameters
from blindface.params import ObjectiveParams, TrainParams, WeightParams
from blindface.training.recipes.progressive.schedule import final_weights, weights_at
from blindface.training.recipes.progressive.steps import (
    Batch,
    Losses,
    StepRunner,
    make_face_discriminator,
    make_networks,
)
from blindface.training.updates import make_optimisers

FOUND = torch.ones(1, dtype=torch.bool)
CHOICE = ObjectiveParams(
    adversarial=WeightParams(final=(1.0, 1.0, 1.0)),
    pixel=WeightParams(final=(10.0, 10.0, 10.0)),
    perceptual=WeightParams(),
    attention=WeightParams(),
    face_adversarial=WeightParams(final=(0.0, 0.0, 0.5)),
)
NARROW = TrainParams(generator_channels=8, discriminator_channels=4)


def _points(scale: float, left: float, top: float) -> Tensor:
    """68 points whose eyes, nose and mouth stand where the template's do, scaled and moved."""
    five = TEMPLATE * scale + np.array([left, top])
    points = np.zeros((1, 68, 2))
    points[:, 36:42], points[:, 42:48] = five[0], five[1]
    points[:, 30], points[:, 48], points[:, 54] = five[2], five[3], five[4]
    return torch.from_numpy(points)


def test_a_crop_shows_the_face_where_the_template_has_it() -> None:
    # OpenCV's affine warp is the reference; up to the template's size both are bilinear
    image = np.random.default_rng(1).random((128, 128, 3))
    image = cv2.GaussianBlur(image, (0, 0), 2.0)
    scale, left, top, step = 0.5, 30.25, 21.5, 112 / 64
    crop = face_crops(torch.from_numpy(image).permute(2, 0, 1)[None], _points(scale, left, top), FOUND)[0]
    # crop pixel j lies at (j + 0.5) step - 0.5 of the template
    factor, offset = scale * step, scale * (0.5 * step - 0.5)
    matrix = np.array([[factor, 0, left + offset], [0, factor, top + offset]])
    expected = cv2.warpAffine(image, matrix, (64, 64), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    # OpenCV rounds places to 1/32 of a pixel
    assert np.abs(crop.permute(1, 2, 0).numpy() - expected).max() < 0.01


def test_weights_sum_to_one_and_stay_inside_at_any_place() -> None:
    for scale, left, top in ((0.6, 30, 30), (1.1, -40, 90), (0.05, 500, -500)):
        for weights in crop_weights(_points(scale, left, top), FOUND, 128):
            assert weights.shape == (1, 64, 128)
            assert (weights >= 0).all()
            torch.testing.assert_close(weights.sum(dim=2), torch.ones(1, 64, dtype=torch.float64))


def test_a_large_face_is_averaged_not_sampled() -> None:
    stripes = (torch.arange(128) % 2).double().expand(1, 3, 128, 128)  # as fine as pixels can be
    crop = face_crops(stripes, _points(1.1, 2.0, 2.0), FOUND)
    assert (crop - 0.5).abs().max() < 0.15


def test_without_landmarks_the_middle_is_taken_whatever_the_points_hold() -> None:
    image = torch.rand(1, 3, 128, 128, dtype=torch.float64)
    lost = face_crops(image, torch.full((1, 68, 2), float("nan")), torch.zeros(1, dtype=torch.bool))
    # 68 of 128 px, centred: the template's middle pixel place (55.5) on the image's (63.5)
    scale = 68 / 112
    shift = 63.5 - 55.5 * scale
    torch.testing.assert_close(lost, face_crops(image, _points(scale, shift, shift), FOUND))


def test_a_crop_has_the_gradient_of_finite_differences() -> None:
    torch.manual_seed(0)
    points = _points(0.07, 1.0, 2.0).double()
    image = torch.rand(1, 3, 12, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: face_crops(x, points, FOUND), (image,))


def test_the_image_gradient_is_that_of_autograd_and_so_is_its_own() -> None:
    torch.manual_seed(3)
    critic = FaceDiscriminator(4).double()
    faces = torch.rand(3, 3, 64, 64, dtype=torch.float64) * 2 - 1
    ours, theirs = critic.image_gradient(faces, 3), image_gradient_by_autograd(critic, faces, 3)
    torch.testing.assert_close(ours, theirs)
    parameters = list(critic.parameters())
    second = [torch.autograd.grad(g.square().sum(), parameters, materialize_grads=True) for g in (ours, theirs)]
    for a, b in zip(*second, strict=True):
        torch.testing.assert_close(a, b)


def test_places_of_a_face_differ_for_its_critic_but_not_for_a_mean() -> None:
    torch.manual_seed(3)
    critic = FaceDiscriminator(4)
    features = torch.rand(2, 32, 4, 4)
    assert not torch.allclose(critic.hidden(critic._gather(features)), critic.hidden(critic._gather(features.flip(3))))


def test_its_width_follows_the_other_critics() -> None:
    critic = make_face_discriminator(NARROW, CHOICE)
    assert critic is not None
    assert critic.channels == 4
    assert make_face_discriminator(NARROW, CHOICE.model_copy(update={"face_adversarial": WeightParams()})) is None
    # 3x3 convolutions of these inputs and outputs, the entry, both linear layers; a bias for every output
    threes = [(64, 128), (128, 128), (128, 256), (256, 256), (256, 512), *[(512, 512)] * 3, (513, 512)]
    expected = sum(9 * a * b + b for a, b in threes) + 4 * 64 + (512 * 16 + 1) * 512 + 513
    assert count_parameters(FaceDiscriminator(64)) == expected == 15_926_273


def _runner(choice: ObjectiveParams = CHOICE, **more: Any) -> StepRunner:
    torch.manual_seed(0)
    generator, discriminator = make_networks(NARROW, choice)
    faces = make_face_discriminator(NARROW, choice)
    optimisers = make_optimisers(generator, discriminator, 1e-3, (0.0, 0.99), faces)
    options = {"active": final_weights(choice), "face_discriminator": faces, **more}
    return StepRunner(generator, discriminator, Losses(None), optimisers, **options)


def _batch() -> Batch:
    torch.manual_seed(1)
    return Batch(
        blind=torch.rand(2, 3, 16, 16) * 2 - 1,
        targets=[torch.rand(2, 3, size, size) * 2 - 1 for size in (32, 64, 128)],
        points=[torch.rand(2, 68, 2) * size for size in (32, 64, 128)],
        found=torch.tensor([True, False]),
        mixes=[torch.rand(2, 1, 1, 1) for _ in range(3)],
    )


def test_both_critics_learn_and_the_last_step_alone_has_the_second() -> None:
    runner = _runner()
    assert runner.face_discriminator is not None
    before = [value.clone() for value in runner.face_discriminator.parameters()]
    metrics = runner.run(_batch(), weights_at(CHOICE, 0.0))
    names = {name for name in metrics if "face" in name}
    assert names == {
        f"{name}/3"
        for name in ("face_adversarial", "face_critic_gap", "face_penalty", "gradient_norm_face_discriminator")
    }
    after = list(runner.face_discriminator.parameters())
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    expected = metrics["adversarial/3"] + 10 * metrics["pixel/3"] + 0.5 * metrics["face_adversarial/3"]
    torch.testing.assert_close(metrics["total/3"], expected)


def test_it_moves_what_the_generator_makes_of_the_face() -> None:
    with_faces, without = _runner(), _runner(CHOICE.model_copy(update={"face_adversarial": WeightParams()}))
    for runner in (with_faces, without):
        runner.run(_batch(), weights_at(CHOICE, 0.0))
    # the last image layer alone sees step 3's losses alone
    ours, other = (list(runner.generator.to_rgb[2].parameters()) for runner in (with_faces, without))
    assert not all(torch.equal(a, b) for a, b in zip(ours, other, strict=True))


def test_a_weight_before_the_last_step_is_refused() -> None:
    early = CHOICE.model_copy(update={"face_adversarial": WeightParams(final=(0.0, 0.2, 0.5))})
    with pytest.raises(ParameterError, match=r"face_adversarial has weight 0\.2 at step 2"):
        _runner(early)


def test_a_weight_without_its_critic_is_refused() -> None:
    with pytest.raises(ParameterError, match="there is no face discriminator"):
        _runner(face_discriminator=None)
