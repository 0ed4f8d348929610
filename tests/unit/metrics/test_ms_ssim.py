from __future__ import annotations

import numpy as np
import pytest

from blindface.metrics.ms_ssim import WEIGHTS, ms_ssim, ms_ssim_4, scales
from blindface.metrics.ssim import ssim
from tests.unit.pictures import noisy, textured


def test_identical_images_have_one() -> None:
    pictures = textured(2)
    assert ms_ssim(pictures, pictures).tolist() == [1, 1]
    assert ms_ssim_4(pictures, pictures).tolist() == [1, 1]


def test_five_scales_of_128_px_end_in_a_single_window_of_8_px() -> None:
    found = scales(noisy(textured(1), 20), textured(1))
    assert found.similarity.shape == (5, 1)
    assert found.smallest == 8


def test_the_finest_scale_is_ssim() -> None:
    pictures = textured(2)
    damaged = noisy(pictures, 20)
    assert scales(damaged, pictures).similarity[0].tolist() == ssim(damaged, pictures).tolist()


def test_a_change_of_brightness_enters_with_the_weight_of_the_coarsest_scale() -> None:
    low, high = np.full((1, 128, 128, 3), 51, np.uint8), np.full((1, 128, 128, 3), 102, np.uint8)
    luminance = (2 * 0.2 * 0.4 + 0.01**2) / (0.2**2 + 0.4**2 + 0.01**2)
    assert ms_ssim(high, low).item() == pytest.approx(luminance ** WEIGHTS[4], abs=1e-6)
    assert ms_ssim_4(high, low).item() == pytest.approx(luminance ** (WEIGHTS[3] / sum(WEIGHTS[:4])), abs=1e-6)


def test_noise_in_single_pixels_hurts_less_than_in_ssim() -> None:
    pictures = textured(2)
    damaged = noisy(pictures, 30)
    assert (ms_ssim(damaged, pictures) > ssim(damaged, pictures)).all()


def test_inverted_structure_counts_as_zero_not_as_nan() -> None:
    picture = textured(1)
    assert ms_ssim(255 - picture, picture).item() == 0


def test_the_sound_variant_refuses_an_image_whose_fourth_scale_has_no_room() -> None:
    small = textured(1, size=80)
    with pytest.raises(ValueError, match="fourth scale has 10 px"):
        ms_ssim_4(small, small)
