from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from blindface.metrics.ssim import ssim, ssim_y
from blindface.metrics.stacks import luma
from tests.unit.pictures import noisy, textured

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}


def test_identical_images_have_exactly_one() -> None:
    pictures = textured(2)
    assert ssim(pictures, pictures).tolist() == [1, 1]
    assert ssim_y(pictures, pictures).tolist() == [1, 1]


def test_equals_scikit_image_in_colour() -> None:
    pictures = textured(3)
    damaged = noisy(pictures, 30)
    expected = [structural_similarity(a, b, channel_axis=2, **GAUSSIAN) for a, b in zip(pictures, damaged, strict=True)]
    # to_unit is float32: seven digits
    assert ssim(damaged, pictures).numpy() == pytest.approx(expected, abs=1e-6)


def test_equals_scikit_image_on_the_luma() -> None:
    pictures = textured(3)
    damaged = noisy(pictures, 30)
    planes = (luma(pictures)[:, 0].numpy(), luma(damaged)[:, 0].numpy())
    expected = [structural_similarity(a, b, **GAUSSIAN) for a, b in zip(*planes, strict=True)]
    assert ssim_y(damaged, pictures).numpy() == pytest.approx(expected, abs=1e-9)


def test_a_change_of_brightness_leaves_the_luminance_term_only() -> None:
    low, high = np.full((1, 32, 32, 3), 51, np.uint8), np.full((1, 32, 32, 3), 102, np.uint8)
    expected = (2 * 0.2 * 0.4 + 0.01**2) / (0.2**2 + 0.4**2 + 0.01**2)
    assert ssim(high, low).item() == pytest.approx(expected, abs=1e-6)


def test_inverted_structure_is_negative() -> None:
    picture = textured(1)
    assert ssim(255 - picture, picture).item() < 0


def test_an_image_smaller_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="window of 11 px does not fit an image of 8 px"):
        ssim(textured(1)[:, :8, :8], textured(1)[:, :8, :8])


def test_luma_rounds_exact_halves_up() -> None:
    # 299 * 0 + 587 * 0 + 114 * 250 = 28500 thousandths: 28.5
    picture = np.array([[[[0, 0, 250], [255, 255, 255], [255, 0, 0]]]], np.uint8)
    assert luma(picture).flatten().tolist() == [29, 255, 76]
