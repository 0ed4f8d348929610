"""Means of many columns at once with their bootstrap intervals: the same draws as `evaluation.statistics`, shared."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from blindface.base.randomness import generator
from blindface.evaluation.statistics import LEVEL

Values = NDArray[np.float64]
_BLOCK = 4_000_000


def mean_intervals(values: Values, resamples: int, seed: int) -> tuple[NDArray[np.int64], Values, Values, Values]:
    """Counts, means, and the lower and upper 95 % bounds of each column of (N, K) values, NaN left out.

    Each column's bounds equal those of `bootstrap_mean`: images are resampled together, so a column that has a value
    for the same images as another is resampled alike. NaN for bounds of fewer than two images, and for empty means.
    """
    finite = np.isfinite(values)
    counts = finite.sum(axis=0)
    means, lows, highs = (np.full(values.shape[1], np.nan) for _ in range(3))
    patterns, member = np.unique(finite, axis=1, return_inverse=True)
    for place in range(patterns.shape[1]):
        rows, columns = patterns[:, place], np.flatnonzero(member.ravel() == place)
        count = int(rows.sum())
        if count == 0:
            continue
        part = values[np.ix_(rows, columns)]
        means[columns] = part.mean(axis=0)
        if count > 1 and resamples > 0:
            drawn = _times_drawn(count, resamples, seed) @ part / count
            lows[columns], highs[columns] = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return counts, means, lows, highs


@lru_cache(maxsize=4)
def _times_drawn(count: int, resamples: int, seed: int) -> Values:
    """How often each of `count` images was drawn in each resample: (resamples, count), rows sum to count."""
    draws = generator(seed, "bootstrap", count)
    times = np.empty((resamples, count))
    step = max(_BLOCK // count, 1)
    for start in range(0, resamples, step):
        rows = draws.integers(count, size=(min(step, resamples - start), count), dtype=np.int32)
        flat = (rows + np.arange(len(rows))[:, None] * count).ravel()
        times[start : start + len(rows)] = np.bincount(flat, minlength=len(rows) * count).reshape(len(rows), count)
    return times
