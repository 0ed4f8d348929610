"""How long the stages took and how much memory they held, from Snakemake's benchmark files.

They are no inputs of the report: a pulled result has none, and a stage measured anew changes no number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

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


@dataclass(frozen=True)
class Duration:
    """A job of a rule: `name` is the rule with what it was run for, `megabytes` the most memory it held."""

    name: str
    seconds: float
    megabytes: float | None


def read_durations(folder: Path | None) -> list[Duration]:
    """The jobs in the order of the data; files of another form are left out, and so is the report itself."""
    if folder is None or not folder.is_dir():
        return []
    found = [_read(path) for path in sorted(folder.glob("*.tsv")) if path.stem != "write_report"]
    return sorted((duration for duration in found if duration is not None), key=_place)


def _read(path: Path) -> Duration | None:
    try:
        last = pd.read_csv(path, sep="\t").apply(pd.to_numeric, errors="coerce").iloc[-1]
        seconds, memory = float(last["s"]), float(last["max_rss"])
    except (ValueError, KeyError, IndexError, pd.errors.ParserError):
        return None
    if not math.isfinite(seconds):
        return None
    return Duration(path.stem.replace(".", ", "), seconds, memory if math.isfinite(memory) else None)


def _place(duration: Duration) -> tuple[int, str]:
    rule = duration.name.partition(",")[0]
    return (ORDER.index(rule) if rule in ORDER else len(ORDER), duration.name)
