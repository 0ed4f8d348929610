"""What a run's files say, in MLflow's terms. Neither MLflow nor PyTorch is imported here.

The record of a run is its folder: `run.json`, `history.csv`, `system.jsonl`, `samples/epoch*.png` and the generator. A
run that is tracked while it trains and one that is imported afterwards are read from the same files by the same
functions, so that nothing can differ between them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from blindface.base.errors import InputError
from blindface.params.recipes import model_name

GENERATOR, HISTORY, RUN, SYSTEM, SAMPLES = (
    "generator.safetensors",
    "history.csv",
    "run.json",
    "system.jsonl",
    "samples",
)
PER_EPOCH = ("learning_rate", "seconds", "images_per_second", "data_wait_seconds", "gpu_memory_gb")
"""Columns of the history that are the same in the rows of all three steps."""
NO_PARAMETERS = ("train.checkpoint_seconds", "train.checkpoints", "train.validate_every")
"""They move no weight: `run.json` holds them, the comparison of runs need not."""

MAY_CHANGE = ("train.device", "train.validation_lpips")
"""Parameters that may change while a run goes on, as `training.session.checkpoint` allows."""


class Point(NamedTuple):
    """A number at a moment: name, value, milliseconds since 1970, and the place on MLflow's step axis."""

    name: str
    value: float
    milliseconds: int
    step: int


def record_key(facts: Mapping[str, Any]) -> str:
    """What tells runs apart, known from their start: recipe, objective, parameters, data and the time of the start.

    Not the code, nor what a continuation may change: a run that goes on elsewhere stays the same run.
    """
    parts = {name: facts.get(name) for name in ("recipe", "objective", "data", "started")}
    params = flatten(facts.get("params") or {})
    parts["params"] = {name: value for name, value in params.items() if name not in MAY_CHANGE}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested values as text under dotted names; lists as JSON; None left out."""
    result: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            result |= flatten(value, f"{prefix}{key}.")
        elif value is not None:
            result[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return result


def name_run(facts: Mapping[str, Any]) -> str:
    """Model, overlay and start, such as `progressive1 tiny 2026-01-31 10:00`."""
    moment = str(facts.get("started") or "")[:16].replace("T", " ")
    objective = str(facts.get("objective") or "run")
    model = model_name(facts["recipe"], facts["objective"]) if facts.get("recipe") else objective
    return " ".join(part for part in (model, facts.get("overlay"), moment) if part)


def parameters_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that decide the run, flattened; the objective's own block reads `objective` for both objectives.

    So the same choice has the same name in the runs of both, and MLflow sets them side by side.
    """
    objective = str(facts.get("objective"))
    params = {**facts.get("params", {})}
    if facts.get("degradation"):
        params["pairs"] = facts["degradation"]
    result = {}
    for name, value in flatten(params).items():
        name = ".".join("objective" if part == objective else part for part in name.split("."))
        if name not in NO_PARAMETERS:
            result[name] = value
    for name in ("images", "faces", "validation_images", "batches_per_epoch"):
        if facts.get(name) is not None:
            result[f"data.{name}"] = json.dumps(facts[name])
    return result


def tags_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Where a run comes from: commit, data, overlay, device, versions, and MLflow's own tags that its page shows."""
    data = {name: value for name, value in (facts.get("data") or {}).items() if value is not None}
    device, versions = facts.get("device") or {}, facts.get("versions") or {}
    device = device if isinstance(device, Mapping) else {"name": device}
    tags = {
        "recipe": facts.get("recipe"),
        "model": model_name(facts["recipe"], facts["objective"]) if facts.get("recipe") else None,
        "objective": facts.get("objective"),
        "overlay": facts.get("overlay") or "none",
        "commit": versions.get("commit"),
        "data": hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16] if data else None,
        "device": " ".join(str(value) for name, value in device.items() if name in ("type", "name")) or None,
        "code": facts.get("code"),
        "weights_sha256": facts.get("weights_sha256"),
        "mlflow.source.name": "blindface train",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": str(versions.get("commit") or "").removesuffix("-dirty") or None,
    }
    nested = {
        "data": data,
        "device": device,
        "versions": {name: value for name, value in versions.items() if name != "commit"},
        "losses_left_out": facts.get("losses_left_out") or {},
    }
    numbers = {name: facts.get(name) for name in ("format", "generator_parameters", "discriminator_parameters")}
    return flatten(tags) | flatten(nested) | flatten(numbers)


def read_history(path: Path) -> list[dict[str, str]]:
    """The rows of a history.csv with columns epoch, step and numbers. Errors: InputError."""
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: it is written by 'blindface train'") from error
    try:
        for row in rows:
            int(row["epoch"]), int(row["step"])
            for name, value in row.items():
                if name != "time":
                    float(value or "nan")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a training history ({error!r}): train again") from error
    return rows


def history_points(rows: Iterable[Mapping[str, str]], started: int = 0, finished: int = 0) -> list[Point]:
    """Every number of a history, on the axis of epochs: `step1/pixel`, and `training/…` for what has no step.

    The moments are the rows' own. Histories of before the column `time` are spread evenly from `started` to `finished`
    (ms since 1970), so that every import gives the same.
    """
    rows = list(rows)
    points: dict[tuple[str, int], Point] = {}
    for place, row in enumerate(rows):
        epoch = int(row["epoch"])
        moment = milliseconds(row.get("time"), started + (finished - started) * (place + 1) // len(rows))
        for column, text in row.items():
            if column in ("epoch", "step", "time") or not text or math.isnan(float(text)):
                continue
            name = f"training/{column}" if column in PER_EPOCH else f"step{row['step']}/{column}"
            points.setdefault((name, epoch), Point(name, float(text), moment, epoch))
    return list(points.values())


def read_system(path: Path) -> list[list[Point]]:
    """The points of each line of a system.jsonl; a file that is missing, or a line that a kill cut off, gives none."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    result = []
    for place, line in enumerate(lines):
        try:
            values = json.loads(line)
            moment = milliseconds(values.pop("time"), None)
            result.append([Point(f"system/{name}", float(value), moment, place) for name, value in values.items()])
        except (ValueError, KeyError, AttributeError, TypeError):
            result.append([])
    return result


def summary_points(record: Mapping[str, Any], epoch: int) -> list[Point]:
    """The numbers of a finished run that belong into a table of runs."""
    moment = milliseconds(record.get("finished"), 0)
    validation = {f"validation_{name}": value for name, value in (record.get("validation") or {}).items()}
    numbers = {name: record.get(name) for name in ("best_validation_psnr", "images_per_second", "seconds")}
    if best := record.get("best_validation"):
        numbers[f"best_validation_{best['metric']}"] = best["value"]
    return [
        Point(f"summary/{name}", float(value), moment, epoch)
        for name, value in (validation | numbers | {"epochs": epoch}).items()
        if isinstance(value, int | float)
    ]


def run_times(record: Mapping[str, Any], history: Path) -> tuple[int, int]:
    """Start and end in milliseconds since 1970; where the record lacks them, the time of the history's file."""
    last = milliseconds(record.get("finished"), int(history.stat().st_mtime * 1000))
    return min(milliseconds(record.get("started"), last), last), last


def milliseconds(value: Any, otherwise: int | None) -> int:
    """Milliseconds since 1970 of a text in ISO format or of seconds since 1970, else `otherwise`.

    Errors: ValueError without an `otherwise`.
    """
    if isinstance(value, int | float):
        return int(value * 1000)
    try:
        return round(datetime.fromisoformat(str(value)).timestamp() * 1000)
    except ValueError:
        if otherwise is None:
            raise
        return otherwise
