from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from blindface.metrics.psnr import CEILING, mean_squared_error, psnr, psnr_batch
from tests.unit.pictures import noisy, textured


def test_a_difference_of_ten_levels_has_the_psnr_of_its_definition() -> None:
    low, high = np.full((2, 32, 32, 3), 100, np.uint8), np.full((2, 32, 32, 3), 110, np.uint8)
    # 20 log10(255 / 10)
    assert psnr(low, high).tolist() == pytest.approx([28.1308036] * 2, abs=1e-6)


def test_the_batch_value_comes_from_the_mean_error_and_lies_below_the_mean_of_values() -> None:
    target = np.full((2, 32, 32, 3), 100, np.uint8)
    image = target.copy()
    image[0] += 10
    image[1] += 2
    expected = 10 * math.log10(255**2 / ((10**2 + 2**2) / 2))
    assert psnr_batch(image, target) == pytest.approx(expected, abs=1e-6)
    assert psnr_batch(image, target) < psnr(image, target).mean().item()


def test_identical_images_have_the_ceiling_and_one_level_in_one_place_less() -> None:
    picture = textured(1)
    changed = picture.copy()
    changed[0, 5, 5, 1] ^= 1
    assert psnr(picture, picture).item() == CEILING
    assert 94 < psnr(changed, picture).item() < CEILING


def test_equals_scikit_image() -> None:
    pictures = textured(3)
    damaged = noisy(pictures, 9)
    expected = [peak_signal_noise_ratio(a, b) for a, b in zip(pictures, damaged, strict=True)]
    assert psnr(damaged, pictures).numpy() == pytest.approx(expected, abs=1e-5)


def test_floats_grey_images_and_unequal_shapes_are_refused() -> None:
    picture = textured(1)
    with pytest.raises(ValueError, match="uint8"):
        mean_squared_error(torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 8, 3))
    with pytest.raises(ValueError, match="RGB"):
        mean_squared_error(picture[..., :1], picture[..., :1])
    with pytest.raises(ValueError, match="differ in shape"):
        mean_squared_error(picture[:, :64], picture)


def test_arrays_and_tensors_give_the_same() -> None:
    pictures = textured(2)
    damaged = noisy(pictures, 5)
    assert torch.equal(psnr(damaged, pictures), psnr(torch.from_numpy(damaged), torch.from_numpy(pictures)))
