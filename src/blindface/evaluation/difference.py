"""Two metrics.json held against each other, as a Markdown table: what a change of code or parameters moved."""

from __future__ import annotations

from pathlib import Path

from blindface.base.errors import InputError
from blindface.base.files import read_json
from blindface.restoration.methods import current_name

Values = dict[tuple[str, str], float]


def difference_of(before: Path, after: Path) -> str:
    """The values that differ between two files written by `blindface report`, as Markdown.

    One row per method and metric; a value that one of them lacks reads n/a. Numbers that are equal are only counted.
    Errors: InputError if a file is missing or does not hold metrics by method.
    """
    old, new = read_metrics(before), read_metrics(after)
    names = sorted(old.keys() | new.keys())
    rows = [name for name in names if old.get(name) != new.get(name)]
    same = f"{len(names) - len(rows)} of {len(names)} values are the same."
    if not rows:
        return same + "\n"
    lines = ["| Method | Metric | Before | After | Difference |", "|---|---|---:|---:|---:|"]
    lines += [f"| {method} | {metric} | {_cells((method, metric), old, new)} |" for method, metric in rows]
    return "\n".join([*lines, "", same, ""])


def read_metrics(path: Path) -> Values:
    """Numbers by (method, metric) of a metrics.json; values without a number are left out; former names are replaced.

    Errors: InputError if the file is missing or is not of this form.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(values, dict) for values in content.values()):
        raise InputError(f"{path} does not hold metrics by method: give a metrics.json of 'blindface report'")
    return {
        (current_name(method), metric): float(value)
        for method, values in content.items()
        for metric, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _cells(name: tuple[str, str], old: Values, new: Values) -> str:
    before, after = old.get(name), new.get(name)
    difference = "" if before is None or after is None else f"{after - before:+.6g}"
    return " | ".join([*("n/a" if value is None else f"{value:.6g}" for value in (before, after)), difference])
