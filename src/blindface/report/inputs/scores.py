"""Reading `data/scores/<method>.json`, finding metrics in it, and how numbers are printed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blindface.base.errors import InputError
from blindface.base.files import read_json
from blindface.params import Objective


@dataclass(frozen=True)
class Metric:
    """One metric of one method: over batches (the paper's way), per image with a 95 % interval, or why neither is."""

    name: str
    label: str
    better: str
    batch_mean: float | None = None
    batch_std: float | None = None
    image_mean: float | None = None
    interval: tuple[float, float] | None = None
    unavailable: str | None = None
    protocol: str = ""
    counted: int = 0
    images: int = 0

    @property
    def partial(self) -> bool:
        """Whether the number is of some of the images only: the others had no value."""
        return 0 < self.counted < self.images

    @property
    def of_images(self) -> str:
        """`6 of 12 images` where the number is not of all of them, else nothing."""
        return f"{self.counted} of {self.images} images" if self.partial else ""

    @property
    def value(self) -> float | None:
        """The one number that stands for the metric: the mean over batches, else the mean over images."""
        return self.image_mean if self.batch_mean is None else self.batch_mean


@dataclass(frozen=True)
class Scores:
    """The scores of one method."""

    method: str
    images: int
    batch_size: int
    metrics: Mapping[str, Metric]
    backbones: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    objective: Objective | None = None
    failures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_scores(path: Path) -> Scores:
    """Read one score file. Errors: InputError if it is missing or not of the form that `blindface evaluate` writes."""
    content = read_json(path)
    try:
        metrics = {name: _metric(name, values, int(content["images"])) for name, values in content["metrics"].items()}
        return Scores(
            method=str(content["method"]),
            images=int(content["images"]),
            batch_size=int(content["batch_size"]),
            metrics=metrics,
            backbones=content.get("backbones") or {},
            versions=content.get("versions") or {},
            objective=content.get("objective"),
            failures=content.get("failures") or {},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} is not a score file ({error!r} is missing or wrong): make it again with blindface evaluate"
        ) from error


def _metric(name: str, values: Mapping[str, Any], images: int) -> Metric:
    interval = values.get("interval")
    return Metric(
        name=name,
        label=str(values.get("label") or name),
        better=str(values.get("better") or "higher"),
        batch_mean=_number(values.get("batch_mean")),
        batch_std=_number(values.get("batch_std")),
        image_mean=_number(values.get("image_mean")),
        interval=(float(interval[0]), float(interval[1])) if interval and None not in interval else None,
        unavailable=values.get("unavailable") or None,
        protocol=str(values.get("protocol") or ""),
        counted=int(values.get("counted") or 0),
        images=images,
    )


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(float(value)) else float(value)


def find(scores: Mapping[str, Scores], names: Sequence[str], prefixes: Sequence[str] = ()) -> str | None:
    """The first of the named metrics that any method has (numbers before n/a), else the first with such a prefix."""
    present = [name for score in scores.values() for name, metric in score.metrics.items() if metric.value is not None]
    absent = [name for score in scores.values() for name in score.metrics]
    for pool in (present, absent):
        for name in names:
            if name in pool:
                return name
        for name in pool:
            if any(name.startswith(prefix) for prefix in prefixes):
                return name
    return None


def label_of(scores: Mapping[str, Scores], name: str) -> str:
    """A metric's label."""
    return next((score.metrics[name].label for score in scores.values() if name in score.metrics), name)


def decimals(values: Iterable[float | None]) -> int:
    """Decimals for a column of numbers: three below 1, two below 100, one below 1000, none above."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    if largest < 1.5:
        return 3
    if largest < 100:
        return 2
    return 1 if largest < 1000 else 0


def deviation(value: float | None, places: int) -> str:
    """`± 0.35`; nothing without a deviation (a single batch)."""
    return "" if value is None else f"± {value:.{places}f}"


def interval(bounds: Sequence[float] | None, places: int, sign: str = "") -> str:
    """`[21.80, 22.11]`; nothing without an interval. `sign` "+" prints the sign of both bounds."""
    return "" if bounds is None else f"[{number(bounds[0], places, sign)}, {number(bounds[1], places, sign)}]"


def number(value: float, places: int, sign: str = "") -> str:
    """A number with a true minus sign, as wide as a plus."""
    return f"{value:{sign}.{places}f}".replace("-", "−")


def arrow(better: str) -> str:
    """↑ where higher is better, ↓ where lower is."""
    return "↑" if better == "higher" else "↓"
