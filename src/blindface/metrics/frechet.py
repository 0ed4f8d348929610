"""Fréchet distance between two sets of features, each seen as a Gaussian (Heusel et al. 2017).

    d² = |m1 - m2|² + tr(S1) + tr(S2) - 2 tr((S1^½ S2 S1^½)^½)

The last trace is the sum of the square roots of the eigenvalues of S1^½ S2 S1^½, which are the singular values of
R1 R2ᵀ for any R with RᵀR = S. Centred features, divided by √(n - 1), are such an R, so that no covariance is formed, no
matrix root is taken, and fewer images than features are no trouble. Equal to pytorch-fid's sqrtm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blindface.metrics.jackknife import jackknife_deviation, jackknife_groups

Features = NDArray[np.floating]


def frechet_distance(features_a: Features, features_b: Features) -> float:
    """The squared Fréchet distance of two feature sets (N, D) and (M, D), as FID reports it.

    Errors: ValueError for other shapes, or fewer than two rows.
    """
    first, second = (np.asarray(features, dtype=np.float64) for features in (features_a, features_b))
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"expected feature sets (N, D) and (M, D), got {first.shape} and {second.shape}")
    if min(len(first), len(second)) < 2:
        raise ValueError("a Fréchet distance needs two images or more on each side")
    difference = first.mean(axis=0) - second.mean(axis=0)
    root_a, root_b = _root(first), _root(second)
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    distance = difference @ difference + np.square(root_a).sum() + np.square(root_b).sum() - 2 * shared
    return max(float(distance), 0.0)


def frechet_deviation(
    features_a: Features, features_b: Features, seed: int, people: Sequence[str] | NDArray[np.str_] | None = None
) -> float | None:
    """Standard error of the distance of paired sets (N, D) by a delete-a-group jackknife; None below 20 rows.

    A bootstrap would not do: resamples repeat images, which lowers the rank and biases the distance. The same rows are
    left out of both sets, in random groups; people: whose photograph each row is, left out together.
    """
    if len(features_a) != len(features_b):
        raise ValueError("the jackknife needs paired sets of one length")
    groups = jackknife_groups(len(features_a), seed, people)
    if groups is None:
        return None
    kept = [groups != out for out in range(groups.max() + 1)]
    return jackknife_deviation([frechet_distance(features_a[rows], features_b[rows]) for rows in kept])


def _root(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """R with RᵀR the covariance, at most D rows."""
    centred: NDArray[np.float64] = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    if len(centred) <= centred.shape[1]:
        return centred
    root: Any = np.linalg.qr(centred, mode="r")
    return np.asarray(root, dtype=np.float64)
