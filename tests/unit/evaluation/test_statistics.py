from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from blindface.base.errors import InputError
from blindface.base.randomness import generator
from blindface.evaluation.statistics import bootstrap_mean, over_batches, paired_difference


def test_the_deviation_is_that_of_the_batch_means_and_a_short_last_batch_is_left_out() -> None:
    values = np.array([1.0, 3, 5, 7, 100])
    # batches (1, 3) and (5, 7): means 2 and 6
    assert over_batches(values, 2) == pytest.approx((4, np.sqrt(8)))


def test_a_single_short_batch_counts_but_has_no_deviation() -> None:
    assert over_batches(np.array([1.0, 3]), 32) == (2, None)


def test_values_that_are_missing_are_left_out_of_their_batch() -> None:
    values = np.array([np.nan, 3, np.nan, np.nan, 5, 7])
    assert over_batches(values, 2) == pytest.approx((4.5, np.sqrt(4.5)))
    assert over_batches(np.full(4, np.nan), 2) == (None, None)


def test_the_interval_is_the_normal_one_for_normal_values() -> None:
    values = generator(1, "values").normal(5, 2, 1000)
    found = bootstrap_mean(values, 4000, seed=3)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    half = 1.96 * values.std(ddof=1) / np.sqrt(1000)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half), abs=0.08 * half)


def test_the_interval_is_seeded() -> None:
    values = generator(1, "values").normal(size=50)
    assert bootstrap_mean(values, 200, seed=3) == bootstrap_mean(values, 200, seed=3)
    assert bootstrap_mean(values, 200, seed=3) != bootstrap_mean(values, 200, seed=4)


def test_without_resamples_or_with_one_image_there_is_a_mean_only() -> None:
    for values, resamples in (([2.0, 4.0], 0), ([3.0], 100)):
        found = bootstrap_mean(np.array(values), resamples, seed=1)
        assert found is not None
        assert (found.mean, found.low, found.high) == (3, None, None)
    assert bootstrap_mean(np.array([np.nan]), 100, seed=1) is None


def _table(values: list[float], start: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"p/{n:03d}" for n in range(start, start + len(values))], "psnr": values})


def test_a_paired_difference_is_narrower_than_either_mean() -> None:
    hard = generator(2, "hard").normal(20, 3, 200)
    gain = generator(2, "gain").normal(0.5, 0.2, 200)
    found = paired_difference(_table(list(hard + gain)), _table(list(hard)), "psnr")
    alone = bootstrap_mean(hard, 1000, seed=2024)
    assert alone is not None
    assert found.mean == pytest.approx(gain.mean())
    assert found.low is not None
    assert found.high is not None
    assert alone.low is not None
    assert alone.high is not None
    assert 0 < found.low < found.mean < found.high
    assert (found.high - found.low) < (alone.high - alone.low) / 5
    assert found.a_larger > 0.98


def test_a_paired_difference_joins_by_id_and_leaves_missing_values_out() -> None:
    first, second = _table([1.0, 2, 3, np.nan]), _table([9.0, 1, 1], start=2).iloc[::-1]
    found = paired_difference(first, second, "psnr")
    # p/002: 3 - 9; p/003 has no value in the first
    assert (found.mean, found.count) == (-6, 1)


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="the second table has no metric 'psnr'"):
        paired_difference(_table([1.0]), _table([1.0]).drop(columns="psnr"), "psnr")
    with pytest.raises(InputError, match="share no image"):
        paired_difference(_table([1.0]), _table([1.0], start=5), "psnr")
