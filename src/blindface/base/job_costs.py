"""What the jobs of an experiment cost, from the benchmark files that Snakemake writes, one per job."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

COLUMNS = {"s": "seconds", "cpu_time": "cpu_seconds", "max_rss": "memory_mb"}


def read_job_costs(folder: Path) -> pd.DataFrame:
    """The last run of each job: `stage` (the rule, then what it ran for, by dots) and the values of `COLUMNS`.

    Sorted by stage; NaN where Snakemake could not measure. Files of another form are left out. No folder: no rows.
    """
    files = [path for path in sorted(folder.glob("*.tsv")) if path.stat().st_size]
    runs = [pd.read_csv(path, sep="\t", on_bad_lines="skip").tail(1).assign(stage=path.stem) for path in files]
    found = pd.concat(runs) if runs else pd.DataFrame()
    found = found.reindex(columns=["stage", *COLUMNS]).rename(columns=COLUMNS)
    for name in COLUMNS.values():
        found[name] = pd.to_numeric(found[name], errors="coerce")
    return found.dropna(subset="seconds").reset_index(drop=True)
