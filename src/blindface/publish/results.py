"""The results of an experiment for a repository: everything but photographs and weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from blindface.base.errors import InputError
from blindface.base.files import copy_file, read_json, write_text
from blindface.base.job_costs import read_job_costs
from blindface.base.progress import say
from blindface.report.figures.files import PICTURES
from blindface.report.text.image_table import NAME as IMAGE_TABLE
from blindface.restoration.methods import current_name

TABLES = ("metrics.md", "metrics.json", IMAGE_TABLE, "subgroups.csv", "subgroups.json")


def publish_results(data: Path, reports: Path, logs: Path, output: Path) -> list[Path]:
    """Fill the folder `output` anew; returns the files written, sorted.

    data, reports, logs: the folders of a finished experiment's working directory. Errors: InputError if its report is
    missing.
    """
    data, reports, logs, output = Path(data), Path(reports), Path(logs), Path(output)
    if not (reports / "metrics.json").is_file():
        raise InputError(f"{reports / 'metrics.json'} is missing: run the experiment to its report, then publish")
    if output.exists():
        shutil.rmtree(output)
    for path in [*(reports / name for name in TABLES), *_without_photographs(reports)]:
        if path.is_file():
            copy_file(path, output / path.relative_to(reports))
    if not (reports / IMAGE_TABLE).is_file():
        say(f"{reports} has no {IMAGE_TABLE} (a report without photographs has none): published without it")
    for folder in sorted((data / "models").glob("*/")):
        if (folder / "run.json").is_file():
            copy_file(folder / "history.csv", output / "models" / f"{folder.name}.history.csv")
            copy_file(folder / "run.json", output / "models" / f"{folder.name}.run.json")
    for path in [data / "skipped.csv", *data.glob("checked/*.json"), *data.glob("weights/*/manifest.json")]:
        if path.is_file():
            copy_file(path, output / path.relative_to(data))
    write_text(output / "stages.csv", stage_costs(logs / "benchmarks"))
    return sorted(path for path in output.rglob("*") if path.is_file())


def _without_photographs(reports: Path) -> Iterable[Path]:
    plots = sorted((reports / "plots").glob("*.csv"))
    figures = sorted(path for path in (reports / "figures").glob("*.*") if not path.name.startswith(PICTURES))
    return [*plots, *figures]


def stage_costs(benchmarks: Path) -> str:
    """Wall time, CPU time and memory of each job as CSV text; what was not measured is empty."""
    return str(read_job_costs(benchmarks).to_csv(index=False, lineterminator="\n"))


def read_results(folder: Path) -> dict[str, dict[str, float | None]]:
    """`metrics.json` of a published folder: metrics by method. Errors: InputError if it is missing or broken."""
    found: dict[str, dict[str, float | None]] = read_json(Path(folder) / "metrics.json")
    return {current_name(method): metrics for method, metrics in found.items()}
