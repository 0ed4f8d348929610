"""What the jobs of an experiment cost, from the benchmark files that Snakemake writes, one per job."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class JobCost:
    """Wall time, CPU time and most memory held, as far as measured; name: the rule, then what it ran for, by dots."""

    name: str
    seconds: float
    cpu_seconds: float | None
    megabytes: float | None


def read_job_costs(folder: Path) -> list[JobCost]:
    """The last run of each job, sorted by name; files of another form are left out. No folder: no jobs."""
    found = (_read(path) for path in sorted(folder.glob("*.tsv")))
    return [cost for cost in found if cost is not None]


def _read(path: Path) -> JobCost | None:
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    seconds = _number(rows[-1], "s") if rows else None
    if seconds is None:
        return None
    return JobCost(path.stem, seconds, _number(rows[-1], "cpu_time"), _number(rows[-1], "max_rss"))


def _number(row: Mapping[str, str | None], column: str) -> float | None:
    """None where Snakemake could not measure, which it writes as NA."""
    try:
        value = float(row.get(column) or "NA")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
