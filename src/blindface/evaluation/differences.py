"""Paired differences between methods, from the tables of values per image.

`data/scores/differences.csv`, one row per pair of methods that restore the same blind images, and metric:

| column | unit | meaning |
|---|---|---|
| objective | | whose blind images both methods restored; empty where that is not known |
| method, reference | | the two methods; the first stands later in the table |
| metric | | a metric with a value per image |
| images | | images for which both have a value |
| difference | the metric's | mean over images of method minus reference |
| low, high | the metric's | its 95 % percentile bootstrap interval |
| larger | share | images where the method's value is the larger one |
| better | | higher or lower: which way the metric improves |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd

from blindface.base.errors import InputError
from blindface.base.files import atomic_path
from blindface.base.image_table import read_metadata, read_table
from blindface.evaluation.catalogue import descriptions
from blindface.evaluation.statistics import paired_differences
from blindface.params import EvaluateParams

COLUMNS = ("objective", "method", "reference", "metric", "images", "difference", "low", "high", "larger", "better")
DECIMALS = 6


def compare_methods(tables: Sequence[Path], objectives: Mapping[str, str], params: EvaluateParams, output: Path) -> int:
    """Write the differences of all pairs of methods that share their blind images; returns the number of rows.

    tables: values per image, as `blindface evaluate` writes them, in the order of the report; objectives: whose blind
    images each method restored; those not named are compared with every method. Errors: InputError for a table of
    another kind, or a method that is given twice.
    """
    frames: dict[str, pd.DataFrame] = {}
    for path in tables:
        name = read_metadata(path).get("method")
        if name is None:
            raise InputError(f"{path} names no method: make it with 'blindface evaluate'")
        if name in frames:
            raise InputError(f"{path} is the second table of method {name}: give each method once")
        frames[name] = read_table(path)
    rows = []
    for reference, method in combinations(frames, 2):
        shared = {objectives[name] for name in (reference, method) if name in objectives}
        if len(shared) < 2:
            rows += _compare(method, reference, frames, "".join(shared), params)
    with atomic_path(output) as temporary:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(temporary, index=False)
    return len(rows)


def _compare(
    method: str, reference: str, frames: Mapping[str, pd.DataFrame], objective: str, params: EvaluateParams
) -> list[tuple[object, ...]]:
    better = {description.name: description.better for description in descriptions(params)}
    rows: list[tuple[object, ...]] = []
    differences = paired_differences(frames[method], frames[reference], better, params.bootstrap, params.seed)
    for name, found in differences.items():
        bounds = ["" if bound is None else round(bound, DECIMALS) for bound in (found.low, found.high)]
        numbers = (found.count, round(found.mean, DECIMALS), *bounds, round(found.a_larger, DECIMALS))
        rows.append((objective, method, reference, name, *numbers, better[name]))
    return rows
