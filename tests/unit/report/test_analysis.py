"""What the report picks and bins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from blindface.params import Params
from blindface.report.inputs.analysis import by_strength, choose_examples, mildest_to_strongest, relative

RANGES = Params().pairs.objective1


def frame(**columns: list[float]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"id": [f"p{n}" for n in range(count)], **columns})


def test_best_median_and_worst_are_by_lpips_and_the_rest_random():
    scores = frame(psnr=[30, 20, 10, 5, 1], lpips_squeeze=[0.5, 0.1, 0.3, 0.2, 0.4])
    chosen = choose_examples(scores, 4, seed=1, method="progressive1")
    assert [(c.id, c.rank) for c in chosen[:3]] == [("p1", "best"), ("p2", "median"), ("p0", "worst")]
    assert chosen[3].rank == "random"
    assert chosen[3].id in {"p3", "p4"}
    assert chosen == choose_examples(scores.sample(frac=1, random_state=0), 4, seed=1, method="progressive1")


def test_without_lpips_higher_psnr_is_better():
    chosen = choose_examples(frame(psnr=[10.0, 30.0, 20.0]), 3, seed=1, method="m")
    assert [c.id for c in chosen] == ["p1", "p2", "p0"]


def test_without_scores_all_examples_are_random_and_distinct():
    chosen = choose_examples(frame(other=[0.0] * 5), 4, seed=1, method="m")
    assert {c.rank for c in chosen} == {"random"}
    assert len({c.id for c in chosen}) == 4


def test_one_image_is_not_shown_three_times():
    assert [c.rank for c in choose_examples(frame(psnr=[10.0]), 8, seed=1, method="m")] == ["best"]


def test_of_two_images_the_second_is_the_worst_not_the_median():
    chosen = choose_examples(frame(psnr=[10.0, 20.0]), 8, seed=1, method="m")
    assert [(c.id, c.rank) for c in chosen] == [("p1", "best"), ("p0", "worst")]


def test_bins_hold_every_image_once_and_their_mean():
    joined = frame(sigma=[0.0, 0.9, 1.1, 5.0], psnr=[10.0, 12.0, 20.0, 30.0])
    bins = by_strength(joined, "sigma", "psnr")
    assert [(b.count, b.mean) for b in bins] == [(2, 11.0), (1, 20.0), (1, 30.0)]
    # two values 10 and 12: deviation sqrt(2), standard error 1
    assert bins[0].high95 == pytest.approx(11 + 1.96)
    assert bins[1].low95 == bins[1].mean


def test_whole_numbers_get_a_bin_each():
    bins = by_strength(frame(k=[1, 2, 2, 5], psnr=[1.0, 2.0, 4.0, 8.0]), "k", "psnr")
    assert [(b.centre, b.count, b.mean) for b in bins] == [(1, 1, 1.0), (2, 2, 3.0), (5, 1, 8.0)]


def test_nothing_to_bin_gives_no_bins():
    assert by_strength(frame(k=[1.0], psnr=[np.nan]), "k", "psnr") == []


def test_smaller_size_and_quality_are_stronger():
    # objective 1: s in [43, 128], q in [60, 100], sigma in [0, 5]
    assert relative(np.array([43, 128]), RANGES, "s").tolist() == [1.0, 0.0]
    assert relative(np.array([0.0, 2.5]), RANGES, "sigma").tolist() == [0.0, 0.5]


def test_degradations_run_from_mild_to_strong():
    draws = frame(k=[5, 1, 3], sigma=[5.0, 0.0, 2.5], s=[43, 128, 86], delta=[10.0, 0.0, 5.0], q=[60, 100, 80])
    assert mildest_to_strongest(draws, RANGES, 6) == ["p1", "p2", "p0"]
    assert mildest_to_strongest(draws, RANGES, 2) == ["p1", "p0"]
