"""Persons are what is resampled."""

from __future__ import annotations

import numpy as np
import pytest

from blindface.base.randomness import generator
from blindface.evaluation.statistics import Interval, bootstrap_mean, people_of
from blindface.subgroups.intervals import mean_intervals


def _width(found: Interval | None) -> float:
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_the_folder_of_an_id_is_the_person() -> None:
    assert people_of(["Ann/1", "Ann/2", "Bob/x/1", "alone"]).tolist() == ["Ann", "Ann", "Bob", "alone"]


def test_copies_of_a_photograph_do_not_narrow_the_interval_of_its_person() -> None:
    values = generator(1, "people").normal(20, 3, 100)
    alone = bootstrap_mean(values, 2000, seed=5)
    copied = np.repeat(values, 4)
    people = np.repeat([f"p{n:03d}" for n in range(100)], 4)
    # four copies of each say no more than one: the same draws give the same bounds
    assert bootstrap_mean(copied, 2000, 5, people) == Interval(pytest.approx(values.mean()), alone.low, alone.high, 400)  # type: ignore[arg-type, union-attr]
    assert _width(bootstrap_mean(copied, 2000, 5)) == pytest.approx(_width(alone) / 2, rel=0.1)


def test_the_interval_covers_the_mean_over_persons_as_often_as_it_says() -> None:
    covered = {"persons": 0, "images": 0}
    for trial in range(200):
        random = generator(trial, "coverage")
        people = np.repeat([f"p{n:02d}" for n in range(40)], 5)
        values = np.repeat(random.normal(0, 1, 40), 5) + random.normal(0, 0.5, 200)
        for kind, owners in (("persons", people), ("images", None)):
            found = bootstrap_mean(values, 300, trial, owners)
            assert found is not None
            assert found.low is not None
            assert found.high is not None
            covered[kind] += found.low <= 0 <= found.high
    # 95 % of 200 within three standard errors; resampling images covers little more than half
    assert covered["persons"] >= 180
    assert covered["images"] < 150


def test_where_all_are_of_one_person_images_are_resampled() -> None:
    values = generator(2, "one").normal(size=30)
    assert bootstrap_mean(values, 100, 3, ["folder"] * 30) == bootstrap_mean(values, 100, 3)


def test_groups_have_the_bounds_of_the_means() -> None:
    values = generator(3, "columns").normal(size=(60, 2))
    values[::7, 1] = np.nan
    people = np.repeat([f"p{n}" for n in range(20)], 3)
    counts, means, lows, highs = mean_intervals(values, 200, 4, people)
    for column in (0, 1):
        found = bootstrap_mean(values[:, column], 200, 4, people)
        expected = (found.count, found.mean, found.low, found.high)  # type: ignore[union-attr]
        assert (counts[column], means[column], lows[column], highs[column]) == pytest.approx(expected)
