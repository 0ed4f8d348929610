"""Paired differences between methods, from their values per image.

A CSV file, one row per pair of methods that restore the same blind images, and metric:

| column | unit | meaning |
|---|---|---|
| objective | | whose blind images both methods restored; empty where that is not known |
| method, reference | | the two methods; the first was given later, published values are always the reference |
| metric | | a metric with a value per image |
| images | | images for which both have a value; 0 where one of the two has none, the numbers are then empty |
| difference | the metric's | mean over images of method minus reference |
| low, high | the metric's | its 95 % percentile bootstrap interval |
| larger | share | images where the method's value is the larger one |
| better | | higher or lower: which way the metric improves |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from blindface.base.errors import InputError
from blindface.base.files import atomic_path
from blindface.evaluation.statistics import paired_difference
from blindface.evaluation.values import ImageValues, read_values
from blindface.params import EvaluateParams

COLUMNS = ("objective", "method", "reference", "metric", "images", "difference", "low", "high", "larger", "better")
DECIMALS = 6


@dataclass(frozen=True)
class Compared:
    """What was written: the number of differences, and a sentence for each pair of methods with a metric left out."""

    differences: int
    left_out: tuple[str, ...]


def compare_methods(
    tables: Sequence[Path],
    objectives: Mapping[str, str],
    output: Path,
    params: EvaluateParams | None = None,
    reference: str | None = None,
) -> Compared:
    """Write the differences of all pairs of methods that share their blind images.

    tables: values per image, as `blindface evaluate` writes them, or a published per_image.csv, whose methods are not
    compared with each other; objectives: whose blind images a method restored whose table does not say it; params: for
    the intervals, else as the first table records them; reference: the one method that all others are compared with.
    Errors: InputError for a table of another kind, a method that is given twice, or where nothing is to be compared.
    """
    methods = [values for path in tables for values in read_values(path, objectives)]
    names = [values.name for values in methods]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"there are two tables of method {twice}: give each method once")
    pairs = _pairs(methods, reference)
    params = params or _recorded(methods)
    rows: list[tuple[object, ...]] = []
    left_out = []
    for base, method in pairs:
        lines = _compare(method, base, params)
        empty = [str(line[3]) for line in lines if not line[4]]
        if empty:
            left_out.append(f"{method.name} and {base.name}: without {', '.join(empty)}, which not both have")
        rows += lines
    found = sum(bool(row[4]) for row in rows)
    if not found:
        first, second = pairs[0]
        raise InputError(
            f"{first.name} and {second.name} share no image with a value of one metric: give tables of one test part"
        )
    with atomic_path(output) as temporary:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(temporary, index=False)
    return Compared(found, tuple(left_out))


def _pairs(methods: Sequence[ImageValues], reference: str | None) -> list[tuple[ImageValues, ImageValues]]:
    """Reference and method of every comparison. Errors: InputError if there is none."""
    if reference is not None and not any(values.method == reference for values in methods):
        known = ", ".join(dict.fromkeys(values.method for values in methods))
        raise InputError(f"no table is of the reference {reference}: the tables are of {known}")
    ordered = sorted(methods, key=lambda values: not values.published)
    if reference is not None:
        ordered.sort(key=lambda values: values.method != reference)
    pairs = [
        (base, method)
        for base, method in combinations(ordered, 2)
        if not (base.published and method.published)
        and (reference is None or base.method == reference)
        and (base.objective is None or method.objective is None or base.objective == method.objective)
    ]
    if not pairs:
        saw = "; ".join(f"{values.name}: {values.objective or 'not known'}" for values in methods[:4])
        raise InputError(f"nothing to compare, as no two methods restored the same blind images ({saw}): give others")
    return pairs


def _recorded(methods: Sequence[ImageValues]) -> EvaluateParams:
    found: dict[str, Any] = next(
        (values.parameters["evaluate"] for values in methods if "evaluate" in values.parameters), {}
    )
    return EvaluateParams(**found)


def _compare(method: ImageValues, base: ImageValues, params: EvaluateParams) -> list[tuple[object, ...]]:
    objective = method.objective or base.objective or ""
    rows: list[tuple[object, ...]] = []
    for name in dict.fromkeys([*method.metrics, *base.metrics]):
        numbers: tuple[object, ...] = (0, "", "", "", "")
        if method.measures_alike(base, name):
            numbers = _difference(method, base, name, params) or numbers
        better = method.better.get(name) or base.better[name]
        rows.append((objective, method.name, base.name, name, *numbers, better))
    return rows


def _difference(
    method: ImageValues, base: ImageValues, metric: str, params: EvaluateParams
) -> tuple[object, ...] | None:
    try:
        found = paired_difference(method.frame, base.frame, metric, params.bootstrap, params.seed)
    except InputError:
        return None  # no image has a value in both
    bounds = ["" if bound is None else round(bound, DECIMALS) for bound in (found.low, found.high)]
    return (found.count, round(found.mean, DECIMALS), *bounds, round(found.a_larger, DECIMALS))
