"""Paired differences between methods: the same test images, so far narrower than two separate intervals suggest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from blindface.evaluation.statistics import paired_differences
from blindface.report.inputs.material import Material


@dataclass(frozen=True)
class Difference:
    """The mean of `method - base` over the images both have a value for, with its 95 % bootstrap interval.

    of: images of the method; lost: those for which `base` has a value and `method` has none.
    """

    method: str
    base: str
    metric: str
    label: str
    better: str
    images: int
    mean: float
    interval: tuple[float, float] | None
    of: int = 0
    lost: int = 0

    @property
    def of_images(self) -> str:
        """`6 of 12 images` where not all have a value by both methods, else nothing."""
        return f"{self.images} of {self.of} images" if self.images < self.of else ""

    @property
    def verdict(self) -> str:
        """`better`, `worse`, or `unclear`: the interval holds zero, there is none, or the method lost images."""
        if self.lost:
            return "unclear"
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return "unclear"
        return "better" if (self.mean > 0) == (self.better == "higher") else "worse"


COLUMNS = ["method", "base", "metric", "images", "mean", "low95", "high95", "verdict"]


def differences(material: Material) -> list[Difference]:
    """Every method against its blind input, then every other one against the leading row of the same objective."""
    resamples, seed = material.params.evaluate.bootstrap, material.params.evaluate.seed
    result = []
    for method, base in _compared(material):
        own, other = material.per_image.get(method), material.per_image.get(base)
        if own is None or other is None or method not in material.scores:
            continue
        metrics = material.scores[method].metrics
        for name, found in paired_differences(own, other, metrics, resamples, seed).items():
            bounds = None if found.low is None or found.high is None else (found.low, found.high)
            label, better = metrics[name].label, metrics[name].better
            lost = int(other[name].notna().sum()) - found.count
            numbers = (found.count, found.mean, bounds, material.scores[method].images, lost)
            result.append(Difference(method, base, name, label, better, *numbers))
    return result


def _compared(material: Material) -> Iterator[tuple[str, str]]:
    known = [method for method in material.methods if method.objective is not None and method.restores]
    for method in known:
        if method.blind is not None:
            yield method.name, method.blind
    for method in known:
        lead = material.lead(method.objective) if method.objective is not None else None
        if lead is not None and method.name != lead.name:
            yield method.name, lead.name


def difference_frame(entries: Iterable[Difference]) -> pd.DataFrame:
    """The differences as a table for `plots/differences.csv`."""
    rows = [
        (entry.method, entry.base, entry.metric, entry.images, entry.mean)
        + (entry.interval or (None, None))
        + (entry.verdict,)
        for entry in entries
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
