"""How long the stages took and how much memory they held, from Snakemake's benchmark files.

They are no inputs of the report: a pulled result has none, and a stage measured anew changes no number.
"""

from __future__ import annotations

from pathlib import Path

from blindface.base.job_costs import JobCost, read_job_costs

ORDER = (
    "fetch_photographs",
    "fetch_weights",
    "make_targets",
    "split",
    "degrade",
    "detect_landmarks",
    "check_data",
    "train",
    "restore",
    "restore_steps",
    "evaluate",
)
"""Rules in the order of the data; others follow by name."""


def read_durations(folder: Path | None) -> list[JobCost]:
    """The jobs in the order of the data, without the report itself."""
    jobs = [] if folder is None else read_job_costs(folder)
    return sorted((job for job in jobs if job.name != "write_report"), key=_place)


def _place(job: JobCost) -> tuple[int, str]:
    rule = job.name.partition(".")[0]
    return (ORDER.index(rule) if rule in ORDER else len(ORDER), job.name)
