from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from blindface.base.randomness import generator
from blindface.metrics.high_frequency import high_frequency_error, high_frequency_ratio
from blindface.metrics.identity import cosine_similarity
from tests.unit.pictures import noisy, textured


def test_an_image_keeps_all_of_its_own_detail() -> None:
    pictures = textured(2)
    assert high_frequency_ratio(pictures, pictures).tolist() == [1, 1]


def test_blur_loses_detail_and_noise_adds_some() -> None:
    pictures = textured(1)
    blurred = cv2.GaussianBlur(pictures[0], (0, 0), 1.5)[None]
    assert high_frequency_ratio(blurred, pictures).item() < 0.1
    assert high_frequency_ratio(noisy(pictures, 20), pictures).item() > 1.5


def test_twice_the_contrast_is_four_times_the_energy() -> None:
    noise = generator(8, "noise").normal(0, 20, (1, 128, 128, 1))
    weak, strong = (np.repeat(128 + scale * noise, 3, axis=-1).round().astype(np.uint8) for scale in (1, 2))
    assert high_frequency_ratio(strong, weak).item() == pytest.approx(4, rel=0.01)


def test_a_slow_wave_is_not_detail() -> None:
    wave = 128 + 60 * np.sin(2 * np.pi * np.arange(128) / 16)
    slow = np.broadcast_to(wave[None, None, :, None], (1, 128, 128, 3)).round().astype(np.uint8)
    assert high_frequency_ratio(slow, textured(1)).item() < 0.01


def test_a_flat_target_has_no_ratio() -> None:
    assert high_frequency_ratio(textured(1), np.full((1, 128, 128, 3), 9, np.uint8)).isnan().all()


def test_the_error_is_in_octaves_on_both_sides_and_capped() -> None:
    assert high_frequency_error(torch.tensor([1.0, 4.0, 0.25, 0.0])).tolist() == [0, 2, 2, 10]


def test_the_cosine_is_that_of_the_angle() -> None:
    first = np.array([[1.0, 0], [2, 0], [1, 0], [0, 0]])
    second = np.array([[3.0, 0], [0, 1], [-1, 0], [1, 1]])
    assert cosine_similarity(first, second) == pytest.approx([1, 0, -1, np.nan], nan_ok=True)
    with pytest.raises(ValueError, match="paired embeddings"):
        cosine_similarity(first, second[:2])
