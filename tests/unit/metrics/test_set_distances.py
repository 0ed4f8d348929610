"""Kernel distance, precision and recall, and the groups of the jackknife."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from blindface.base.randomness import generator
from blindface.metrics.frechet import frechet_deviation
from blindface.metrics.jackknife import jackknife_groups
from blindface.metrics.kernel_distance import kernel_deviation, kernel_distance
from blindface.metrics.precision_recall import precision_and_recall


def _normal(count: int, width: int, seed: int, shift: float = 0.0) -> NDArray[np.float64]:
    return generator(seed, "features").normal(shift, 1, size=(count, width))


def _naive(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The definition, pair by pair."""

    def k(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    n, m = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_the_kernel_distance_is_its_definition_pair_by_pair() -> None:
    x, y = _normal(13, 4, 1), _normal(9, 4, 2, 0.5)
    assert kernel_distance(x, y) == pytest.approx(_naive(x, y), rel=1e-12)


def test_the_kernel_distance_of_constant_sets_is_known_by_hand() -> None:
    # all x are (1, 0), all y (0, 1): k(x, x) = k(y, y) = (1/2 + 1)^3, k(x, y) = 1
    x, y = np.tile([1.0, 0.0], (5, 1)), np.tile([0.0, 1.0], (7, 1))
    assert kernel_distance(x, y) == pytest.approx(2 * 1.5**3 - 2)


def test_the_kernel_distance_is_unbiased_where_the_frechet_distance_is_not() -> None:
    values = [kernel_distance(_normal(20, 8, seed), _normal(20, 8, 1000 + seed)) for seed in range(300)]
    assert np.mean(values) == pytest.approx(0, abs=3 * np.std(values) / np.sqrt(300))


def test_all_pairs_are_what_the_mean_over_random_subsets_tends_to() -> None:
    x, y = _normal(60, 4, 3), _normal(60, 4, 4, 0.4)
    random = generator(5, "subsets")
    subsets = [
        kernel_distance(x[random.choice(60, 20, replace=False)], y[random.choice(60, 20, replace=False)])
        for _ in range(3000)
    ]
    assert np.mean(subsets) == pytest.approx(kernel_distance(x, y), abs=4 * np.std(subsets) / np.sqrt(3000))


def test_the_jackknife_predicts_the_scatter_of_repeated_draws() -> None:
    values, errors = [], []
    for trial in range(60):
        x, y = _normal(200, 2, trial), _normal(200, 2, 500 + trial, 1)
        values.append(kernel_distance(x, y))
        errors.append(kernel_deviation(x, y, seed=1))
    assert np.mean(np.array(errors, dtype=float)) == pytest.approx(np.std(values), rel=0.3)


def test_the_jackknife_by_blocks_equals_leaving_rows_out() -> None:
    x, y = _normal(40, 3, 6), _normal(40, 3, 7, 0.3)
    groups = jackknife_groups(40, 2)
    assert groups is not None
    left_out = np.array([kernel_distance(x[groups != out], y[groups != out]) for out in range(10)])
    expected = np.sqrt(0.9 * np.square(left_out - left_out.mean()).sum())
    assert kernel_deviation(x, y, seed=2) == pytest.approx(expected, rel=1e-9)


def test_no_person_is_in_two_groups_and_copies_do_not_narrow_the_interval() -> None:
    people = np.repeat([f"p{n:02d}" for n in range(30)], 4)
    groups = jackknife_groups(120, 3, people)
    assert groups is not None
    assert all(len(set(groups[people == name])) == 1 for name in people)
    assert set(groups) == set(range(10))
    x, y = (np.repeat(_normal(30, 3, seed), 4, axis=0) for seed in (8, 9))
    by_person, by_image = kernel_deviation(x, y, 1, people), kernel_deviation(x, y, 1)
    assert by_person is not None
    assert by_image is not None
    assert by_person > 1.5 * by_image
    assert (frechet_deviation(x, y, 1, people) or 0) > 1.5 * (frechet_deviation(x, y, 1) or 0)
    assert jackknife_groups(19, 3) is None


def test_precision_and_recall_by_hand_on_a_line() -> None:
    targets = np.array([[0.0], [1], [2], [3], [100]])
    # radii to the third neighbour: 3, 2, 2, 3, 99; so the targets' manifold is [-3, 6] and [1, 199]
    restored = np.array([[-3.5], [-2.5], [150], [200], [0.5]])
    inside, covered = precision_and_recall(restored, targets)
    assert inside.tolist() == [0, 1, 1, 0, 1]
    # radii of the restored ones in their order: 153.5, 152.5, 152.5, 200, 149.5: their manifold holds all targets
    assert covered.tolist() == [1, 1, 1, 1, 1]


def test_one_face_again_and_again_is_precise_but_recalls_little() -> None:
    targets = _normal(200, 2, 10)
    inside, covered = precision_and_recall(np.tile(targets[:1], (50, 1)), targets)
    assert inside.mean() == 1
    assert covered.mean() < 0.05


def test_equal_sets_have_both_and_far_sets_neither() -> None:
    targets = _normal(60, 8, 11)
    assert [part.mean() for part in precision_and_recall(targets, targets)] == [1, 1]
    assert [part.mean() for part in precision_and_recall(targets + 1e3, targets)] == [0, 0]


def test_unfit_features_are_refused() -> None:
    with pytest.raises(ValueError, match="feature sets"):
        kernel_distance(np.zeros((5, 3)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="4 images"):
        precision_and_recall(np.zeros((3, 3)), np.zeros((5, 3)))
