"""The tidy table: one row per group, method and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from blindface.base.errors import InputError
from blindface.evaluation.statistics import people_of
from blindface.subgroups.groups import Grouping
from blindface.subgroups.intervals import mean_intervals
from blindface.subgroups.kinds import DETAIL

COLUMNS = (
    "issue", "kind", "objective", "group", "source", "method", "metric", "n", "people", "mean", "low", "high",
    "gain", "gain_low", "gain_high", "small",
)  # fmt: skip
NOT_METRICS = ("id", "mse")
DETAIL_METRICS = ("high_frequency_ratio", "detail_octaves", "detail_below_half", "detail_above_double")
"""Metrics of issue f; all but the first are made here of the first."""


@dataclass(frozen=True)
class Methods:
    """Scores per image of each method (`id` and numbers), whose blind images it saw, and which method is those."""

    scores: Mapping[str, pd.DataFrame]
    objectives: Mapping[str, str]
    blind: Mapping[str, str]

    def base(self, method: str) -> str | None:
        """The blind input that a method started from, where it was scored and is not the method itself."""
        found = self.blind.get(self.objectives.get(method, ""))
        return found if found in self.scores and found != method else None


def wide(methods: Methods) -> pd.DataFrame:
    """All numbers side by side: index id, columns (method, metric, 'value' or 'gain'); NaN where there is none."""
    parts = {}
    for method, frame in methods.scores.items():
        numbers = frame.set_index("id")
        numbers = numbers[[name for name in numbers if name not in NOT_METRICS]].astype(np.float64)
        if numbers.index.has_duplicates:
            raise InputError(f"the scores of '{method}' name an image twice: evaluate it again")
        parts[method, "value"] = _with_detail(numbers)
    for method in methods.scores:
        base = methods.base(method)
        if base is not None:
            # only what both have: subtraction aligns by image and by metric
            parts[method, "gain"] = parts[method, "value"].sub(parts[base, "value"]).dropna(axis=1, how="all")
    joined = pd.concat(parts, axis=1).sort_index()
    joined.columns = joined.columns.reorder_levels([0, 2, 1])
    return joined


def _with_detail(numbers: pd.DataFrame) -> pd.DataFrame:
    """The numbers, and of `high_frequency_ratio`: its logarithm, and whether it is below a half or above two."""
    if "high_frequency_ratio" not in numbers:
        return numbers
    ratio = numbers["high_frequency_ratio"]
    with np.errstate(divide="ignore"):
        octaves = np.log2(ratio).clip(lower=-10)
    share = {"detail_below_half": ratio < 0.5, "detail_above_double": ratio > 2}
    known = ratio.notna()
    return numbers.assign(
        detail_octaves=octaves, **{name: hit.where(known).astype(float) for name, hit in share.items()}
    )


def tidy_table(methods: Methods, groupings: Sequence[Grouping], resamples: int, seed: int, small: int) -> pd.DataFrame:
    """One row per group, method and metric, in the order of the groupings; groups without an image have none.

    `gain` is the mean difference to the blind input of the same images, in the metric's own unit.
    """
    numbers = wide(methods)
    people = pd.Series(people_of(numbers.index), index=numbers.index)
    rows: list[dict[str, object]] = []
    for grouping in groupings:
        columns = [column for column in numbers.columns if _belongs(grouping, column, methods)]
        labels = grouping.labels.reindex(numbers.index)
        for group in grouping.order:
            inside = (labels == group).fillna(False).to_numpy(bool)
            if inside.any() and columns:
                part = numbers.loc[inside, columns]
                rows += _rows(grouping, group, part, people[inside], (resamples, seed, small))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _belongs(grouping: Grouping, column: tuple[str, str, str], methods: Methods) -> bool:
    method, metric, _ = column
    if grouping.objective is not None and methods.objectives.get(method) != grouping.objective:
        return False
    if grouping.kind is DETAIL:
        return metric in DETAIL_METRICS
    return metric not in DETAIL_METRICS[1:]


def _rows(
    grouping: Grouping, group: str, part: pd.DataFrame, people: pd.Series, settings: tuple[int, int, int]
) -> list[dict[str, object]]:
    resamples, seed, small = settings
    counts, means, lows, highs = mean_intervals(part.to_numpy(np.float64), resamples, seed, people.to_numpy())
    place = {column: number for number, column in enumerate(part.columns)}
    kind = grouping.kind
    rows: list[dict[str, object]] = []
    for column, number in place.items():
        method, metric, what = column
        if what != "value" or counts[number] == 0:
            continue
        row: dict[str, object] = {
            "issue": kind.issue,
            "kind": kind.name,
            "objective": grouping.objective or "",
            "group": group,
        }
        row |= {"source": kind.source, "method": method, "metric": metric, "n": int(counts[number])}
        row |= {"people": int(people[part[column].notna()].nunique()), "mean": means[number]}
        row |= {"low": lows[number], "high": highs[number], "small": bool(counts[number] < small)}
        gain = place.get((method, metric, "gain"))
        if gain is not None:
            row |= {"gain": means[gain], "gain_low": lows[gain], "gain_high": highs[gain]}
        rows.append(row)
    return rows
