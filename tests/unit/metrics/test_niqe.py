from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from blindface.base.errors import ExternalFileError
from blindface.base.randomness import generator
from blindface.metrics.niqe import PristineModel, _fit, block_features, niqe
from blindface.metrics.operators import gaussian_replicate, half_bicubic
from tests.unit.pictures import noisy, textured

PLAIN = PristineModel(torch.zeros(36, dtype=torch.float64), torch.eye(36, dtype=torch.float64))


def test_with_a_plain_model_one_block_has_the_length_of_its_features() -> None:
    picture = textured(2)
    # Eq. 10 with mean 0 and covariance (I + 0) / 2
    expected = (2 * block_features(picture)[:, 0].square().sum(dim=-1)).sqrt()
    assert niqe(picture, PLAIN).tolist() == pytest.approx(expected.tolist())


def test_only_the_block_at_the_top_left_of_a_128_px_image_counts() -> None:
    picture = textured(1)
    changed = picture.copy()
    changed[:, 96:], changed[:, :, 96:] = 0, 255
    assert torch.equal(niqe(picture, PLAIN), niqe(changed, PLAIN))


def test_two_by_two_blocks_enter_with_their_covariance() -> None:
    features = block_features(textured(1, size=192))
    assert features.shape == (1, 4, 36)
    own = np.cov(features[0].numpy(), rowvar=False)
    mean = features[0].mean(dim=0).numpy()
    expected = np.sqrt(mean @ np.linalg.pinv((np.eye(36) + own) / 2) @ mean)
    assert niqe(textured(1, size=192), PLAIN).item() == pytest.approx(expected)


def test_the_fit_finds_the_parameters_of_a_gaussian() -> None:
    sample = torch.from_numpy(generator(3, "gaussian").normal(0, 1.5, (1, 400, 400)))
    alpha, left, right = _fit(sample)
    # the generalised Gaussian of shape 2 is the Gaussian with beta = sigma sqrt(2)
    assert alpha.item() == pytest.approx(2, abs=0.02)
    assert left.item() == pytest.approx(1.5 * 2**0.5, rel=0.01)
    assert right.item() == pytest.approx(1.5 * 2**0.5, rel=0.01)


def test_an_image_does_not_depend_on_its_neighbours_and_a_flat_one_has_no_value() -> None:
    pictures = textured(3)
    alone = niqe(pictures[2:], PLAIN)
    pictures[1] = 200
    together = niqe(pictures, PLAIN)
    assert together.isnan().tolist() == [False, True, False]
    assert together[2].item() == pytest.approx(alone.item(), rel=1e-12)


def test_a_black_background_gives_a_value_that_does_not_hang_on_rounding() -> None:
    picture = noisy(textured(1), 5)
    picture[:, :60] = 0
    brighter = picture.copy()
    brighter[:, :60] = 3
    assert torch.isfinite(niqe(picture, PLAIN)).all()
    # flat zero has no rounding error at all, flat three has some: both must be left out of the fit alike
    assert (niqe(picture, PLAIN) - niqe(brighter, PLAIN)).abs().item() < 0.02


def test_operators_keep_a_constant_and_halving_centres_a_ramp() -> None:
    assert gaussian_replicate(96, 7, 7 / 6).sum(dim=1).tolist() == pytest.approx([1] * 96)
    ramp = half_bicubic(32) @ torch.arange(32, dtype=torch.float64)
    # away from the border, sample i lies between input samples 2i and 2i + 1
    assert ramp[4:12].tolist() == pytest.approx([2 * i + 0.5 for i in range(4, 12)])


def test_an_image_without_a_whole_block_is_refused() -> None:
    with pytest.raises(ValueError, match="96 px or more"):
        niqe(textured(1, size=64), PLAIN)


def test_a_file_of_another_kind_is_refused_in_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "niqe.mat"
    wrong.write_bytes(b"not a model")
    with pytest.raises(ExternalFileError, match="not NIQE's pristine model"):
        PristineModel.load(wrong)
