"""Kernel distance between two sets of features: the squared maximum mean discrepancy (Bińkowski et al. 2018, KID).

    MMD² = mean over i≠j of k(x_i, x_j) + mean over i≠j of k(y_i, y_j) - 2 mean over i, j of k(x_i, y_j)
    k(a, b) = (a · b / d + 1)³, d the number of features

Unlike the Fréchet distance it is unbiased at any number of images. Libraries take the mean over random subsets of
1,000 images; here all pairs are taken, which is what the mean over ever more subsets tends to, so nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blindface.metrics.jackknife import jackknife_deviation, jackknife_groups

Features = NDArray[np.floating]
_ROWS = 1024
"""Rows of the kernel matrix at a time, which bounds the memory."""


def kernel_distance(first: Features, second: Features) -> float:
    """The unbiased MMD² of two feature sets (N, D) and (M, D); can be slightly negative for sets that are alike.

    Errors: ValueError for other shapes, or fewer than two rows.
    """
    a, b = _checked(first, second)
    alone = [np.zeros(len(part), np.intp) for part in (a, b)]
    sums = [
        _block_sums(a, a, alone[0], alone[0], 1),
        _block_sums(b, b, alone[1], alone[1], 1),
        _block_sums(a, b, alone[0], alone[1], 1),
    ]
    diagonals = [np.array([_diagonal(part).sum()]) for part in (a, b)]
    counts = [np.array([len(part)]) for part in (a, b)]
    return _estimate(sums, diagonals, counts, np.array([True]))


def kernel_deviation(
    first: Features, second: Features, seed: int, people: Sequence[str] | NDArray[np.str_] | None = None
) -> float | None:
    """Standard error of the distance of paired sets (N, D) by a delete-a-group jackknife; None below 20 rows.

    people: whose photograph each row is; a person's are left out together, the same on both sides.
    """
    a, b = _checked(first, second)
    if len(a) != len(b):
        raise ValueError("the jackknife needs paired sets of one length")
    groups = jackknife_groups(len(a), seed, people)
    if groups is None:
        return None
    number = int(groups.max()) + 1
    sums = [_block_sums(one, other, groups, groups, number) for one, other in ((a, a), (b, b), (a, b))]
    diagonals = [np.bincount(groups, _diagonal(part), number) for part in (a, b)]
    counts = [np.bincount(groups, minlength=number)] * 2
    return jackknife_deviation([_estimate(sums, diagonals, counts, np.arange(number) != out) for out in range(number)])


def _checked(first: Features, second: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = (np.asarray(features, dtype=np.float64) for features in (first, second))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"expected feature sets (N, D) and (M, D), got {a.shape} and {b.shape}")
    if min(len(a), len(b)) < 2:
        raise ValueError("a kernel distance needs two images or more on each side")
    return a, b


def _diagonal(features: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((np.square(features).sum(axis=1) / features.shape[1] + 1) ** 3)


def _block_sums(
    a: NDArray[np.float64], b: NDArray[np.float64], rows: NDArray[np.intp], columns: NDArray[np.intp], number: int
) -> NDArray[np.float64]:
    """Sums of the kernel over every pair of groups, (number, number)."""
    members = (columns[:, None] == np.arange(number)).astype(np.float64)
    sums = np.zeros((number, number))
    for start in range(0, len(a), _ROWS):
        part = slice(start, start + _ROWS)
        kernel = (a[part] @ b.T / a.shape[1] + 1) ** 3
        np.add.at(sums, rows[part], kernel @ members)
    return sums


def _estimate(
    sums: Sequence[NDArray[np.float64]],
    diagonals: Sequence[NDArray[Any]],
    counts: Sequence[NDArray[Any]],
    kept: NDArray[np.bool_],
) -> float:
    """The distance of the rows whose group is kept: sums over x x, y y and x y by group."""
    within = [float(part[np.ix_(kept, kept)].sum()) for part in sums]
    own = [float(part[kept].sum()) for part in diagonals]
    n, m = (int(part[kept].sum()) for part in counts)
    return (within[0] - own[0]) / (n * (n - 1)) + (within[1] - own[1]) / (m * (m - 1)) - 2 * within[2] / (n * m)
