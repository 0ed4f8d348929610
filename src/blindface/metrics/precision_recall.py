"""Precision and recall of a set of images in a space of features (Kynkäänniemi et al. 2019, arXiv 1904.06991).

A set's manifold is the union of balls around its features, each as large as the distance to the k-th nearest other
feature of the set. Precision is the share of restored images inside the manifold of the targets: do they look like
faces? Recall is the share of targets inside the manifold of the restored images: is the variety kept?
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]
NEIGHBOURS = 3
_ROWS = 1024


def precision_and_recall(
    restored: Features, targets: Features, neighbours: int = NEIGHBOURS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1.0 or 0.0 for each restored image (N, D) and each target (M, D): whether the other set's manifold holds it.

    Their means are precision and recall. Errors: ValueError for other shapes, or too few rows for the neighbours.
    """
    a, b = (np.asarray(features, dtype=np.float64) for features in (restored, targets))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"expected feature sets (N, D) and (M, D), got {a.shape} and {b.shape}")
    if min(len(a), len(b)) <= neighbours:
        raise ValueError(f"a manifold of {neighbours} neighbours needs {neighbours + 1} images or more")
    return _inside(a, b, _radii(b, neighbours)), _inside(b, a, _radii(a, neighbours))


def _radii(features: NDArray[np.float64], neighbours: int) -> NDArray[np.float64]:
    """Squared distance of each feature to its k-th nearest other one, (N,)."""
    found = np.empty(len(features))
    for start in range(0, len(features), _ROWS):
        part = features[start : start + _ROWS]
        squared = _squared(part, features)
        squared[np.arange(len(part)), start + np.arange(len(part))] = np.inf  # not its own neighbour
        found[start : start + len(part)] = np.partition(squared, neighbours - 1, axis=1)[:, neighbours - 1]
    return found


def _inside(
    points: NDArray[np.float64], centres: NDArray[np.float64], radii: NDArray[np.float64]
) -> NDArray[np.float64]:
    parts = [
        (_squared(points[start : start + _ROWS], centres) <= radii).any(axis=1)
        for start in range(0, len(points), _ROWS)
    ]
    return np.concatenate(parts).astype(np.float64)


def _squared(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances (N, M); what rounding leaves between equal features is zero."""
    lengths = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)
    squared = lengths - 2 * (a @ b.T)
    return np.where(squared > 1e-12 * lengths, squared, 0.0)
