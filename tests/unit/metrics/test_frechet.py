from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import linalg

from blindface.base.randomness import generator
from blindface.metrics.frechet import frechet_deviation, frechet_distance


def _features(count: int, width: int, seed: int, shift: float = 0.0) -> NDArray[np.float64]:
    random = generator(seed, "features")
    return random.normal(size=(count, width)) @ random.normal(size=(width, width)) + shift


def _moments(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return features.mean(axis=0), np.cov(features, rowvar=False)


def test_a_set_is_at_distance_zero_from_itself() -> None:
    features = _features(200, 16, 1)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_a_shifted_set_is_at_the_squared_length_of_the_shift() -> None:
    features = _features(200, 16, 1)
    assert frechet_distance(features, features + 3) == pytest.approx(16 * 9)


def test_a_scaled_set_is_at_the_trace_of_the_squared_difference_of_deviations() -> None:
    features = _features(300, 8, 2)
    features -= features.mean(axis=0)
    # S2 = 4 S1: tr(S1) + 4 tr(S1) - 2 * 2 tr(S1)
    assert frechet_distance(features, 2 * features) == pytest.approx(np.trace(np.cov(features, rowvar=False)))


def test_equals_pytorch_fid() -> None:
    from blindface.base.torchvision_repair import repair

    repair()
    from pytorch_fid.fid_score import calculate_frechet_distance

    first, second = _features(400, 48, 3), _features(500, 48, 4, shift=0.5)
    expected = calculate_frechet_distance(*_moments(first), *_moments(second))
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count", [24, 300])
def test_equals_the_eigenvalues_of_the_symmetric_product_with_few_images_and_with_many(count: int) -> None:
    first, second = _features(count, 64, 5), _features(count, 64, 6)
    (mean_a, cov_a), (mean_b, cov_b) = _moments(first), _moments(second)
    values, vectors = linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    trace = np.sqrt(linalg.eigvalsh(root @ cov_b @ root).clip(min=0)).sum()
    expected = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * trace
    # the eigenvalues of a singular product are zero only to the root of the rounding error
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-5)


def test_the_jackknife_predicts_the_scatter_of_repeated_draws() -> None:
    random = generator(9, "repeat")
    distances, errors = [], []
    for _ in range(60):
        first, second = random.normal(size=(400, 2)), random.normal(1, 1, size=(400, 2))
        distances.append(frechet_distance(first, second))
        errors.append(frechet_deviation(first, second, seed=1))
    assert np.mean(np.array(errors, dtype=float)) == pytest.approx(np.std(distances), rel=0.3)


def test_the_jackknife_is_seeded_and_needs_two_images_per_group() -> None:
    first, second = _features(50, 4, 7), _features(50, 4, 8)
    assert frechet_deviation(first, second, seed=1) == frechet_deviation(first, second, seed=1)
    assert frechet_deviation(first, second, seed=1) != frechet_deviation(first, second, seed=2)
    assert frechet_deviation(first[:19], second[:19], seed=1) is None


def test_unfit_features_are_refused() -> None:
    with pytest.raises(ValueError, match="feature sets"):
        frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="two images"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="paired"):
        frechet_deviation(np.zeros((40, 3)), np.zeros((41, 3)), seed=1)
