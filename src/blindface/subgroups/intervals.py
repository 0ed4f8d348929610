"""Means of many columns at once with their bootstrap intervals: the same draws as `evaluation.statistics`, shared."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from blindface.evaluation.statistics import LEVEL, resampled, resampled_units

Values = NDArray[np.float64]


def mean_intervals(
    values: Values, resamples: int, seed: int, people: Sequence[str] | NDArray[np.str_] | None = None
) -> tuple[NDArray[np.int64], Values, Values, Values]:
    """Counts, means, and the lower and upper 95 % bounds of each column of (N, K) values, NaN left out.

    people: (N,) whose photograph each image is. Each column's bounds equal those of `bootstrap_mean`: persons are
    resampled together, so a column that has a value for the same images as another is resampled alike. NaN for bounds
    of fewer than two images, and for empty means.
    """
    finite = np.isfinite(values)
    counts = finite.sum(axis=0)
    means, lows, highs = (np.full(values.shape[1], np.nan) for _ in range(3))
    patterns, member = np.unique(finite, axis=1, return_inverse=True)
    for place in range(patterns.shape[1]):
        rows, columns = patterns[:, place], np.flatnonzero(member.ravel() == place)
        if not rows.any():
            continue
        part = values[np.ix_(rows, columns)]
        means[columns] = part.mean(axis=0)
        owners = resampled_units(len(part), None if people is None else np.asarray(people)[rows])
        photographs = np.bincount(owners)
        if len(photographs) > 1 and resamples > 0:
            sums = np.zeros((len(photographs), len(columns)))
            np.add.at(sums, owners, part)
            times = _times_drawn(len(photographs), resamples, seed)
            drawn = times @ sums / (times @ photographs)[:, None]
            lows[columns], highs[columns] = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return counts, means, lows, highs


@lru_cache(maxsize=4)
def _times_drawn(count: int, resamples: int, seed: int) -> Values:
    """How often each of `count` persons was drawn in each resample: (resamples, count), rows sum to count."""
    parts = []
    for rows in resampled(count, resamples, seed):
        flat = (rows + np.arange(len(rows))[:, None] * count).ravel()
        parts.append(np.bincount(flat, minlength=len(rows) * count).reshape(len(rows), count))
    return np.concatenate(parts).astype(np.float64)
