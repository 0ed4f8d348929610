"""What the report chooses and computes: example images, and metrics by the strength of each degradation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from blindface.base.randomness import generator
from blindface.params import DegradationParams
from blindface.subgroups.draws import DRAWS

SMALL = 10
"""Fewer images than this in a bin are marked as few."""


@dataclass(frozen=True)
class Example:
    """A chosen image and why it was chosen, for example ('best', 'LPIPS', 0.123)."""

    id: str
    rank: str
    metric: str | None
    value: float | None


def ranking_metric(frame: pd.DataFrame) -> str | None:
    """The column that ranks images: LPIPS of any backbone, else PSNR, else none."""
    names = [name for name in frame.columns if name.startswith("lpips")] + [
        name for name in ("psnr", "psnr_image") if name in frame
    ]
    return next((name for name in names if frame[name].notna().any()), None)


def choose_examples(frame: pd.DataFrame, count: int, seed: int, method: str) -> list[Example]:
    """Best, median and worst image by the ranking metric, then random others (sorted by id), at most `count` in all.

    Depends on nothing but the scores and the seed. Without a metric all are random.
    """
    metric = ranking_metric(frame)
    chosen: list[Example] = []
    values: dict[str, float] = {}
    if metric is not None:
        ranked = frame.dropna(subset=[metric]).sort_values([metric, "id"], ascending=[metric.startswith("lpips"), True])
        values = dict(zip(ranked["id"], ranked[metric].astype(float), strict=True))
        names = list(ranked["id"])
        places = {len(names) // 2: "median", len(names) - 1: "worst", 0: "best"}
        chosen = [Example(names[place], rank, metric, values[names[place]]) for place, rank in sorted(places.items())]
        chosen = chosen[:count]
    taken = {example.id for example in chosen}
    rest = random_ids(
        (name for name in frame["id"] if name not in taken), count - len(chosen), seed, "examples", method
    )
    return chosen + [Example(name, "random", metric, values.get(name)) for name in rest]


def random_ids(ids: Iterable[str], count: int, seed: int, *purpose: str) -> list[str]:
    """At most `count` ids drawn without replacement, sorted; fixed by the seed and the purpose."""
    names = sorted(ids)
    drawn = generator(seed, "report", *purpose).permutation(len(names))[: max(count, 0)]
    return sorted(names[place] for place in drawn)


def mildest_to_strongest(draws: pd.DataFrame, ranges: DegradationParams, count: int) -> list[str]:
    """Ids at even steps from the mildest to the strongest drawn degradation, by `strength`."""
    if draws.empty:
        return []
    order = draws.assign(strength=strength(draws, ranges)).sort_values(["strength", "id"])
    places = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
    return [str(name) for name in order["id"].to_numpy()[places]]


def strength(draws: pd.DataFrame, ranges: DegradationParams) -> np.ndarray:
    """The mean place (0 mild, 1 strong) of the five drawn values within their ranges, one number per row."""
    places = [relative(draws[name].to_numpy(np.float64), ranges, name) for name in DRAWS]
    return np.asarray(np.mean(places, axis=0))


def relative(values: np.ndarray, ranges: DegradationParams, name: str) -> np.ndarray:
    """Place of drawn values within their range, 0 the mildest end and 1 the strongest; 0.5 in a range of one value."""
    low, high = getattr(ranges, name)
    if high <= low:
        return np.full(np.shape(values), 0.5)
    place = (np.asarray(values, np.float64) - low) / (high - low)
    return np.asarray(np.clip(place if DRAWS[name][2] else 1 - place, 0, 1))


@dataclass(frozen=True)
class Bin:
    """Images whose drawn parameter lies in [low, high] (the upper end only in the last bin), and their mean metric.

    low95 and high95 bound the mean by 1.96 standard errors; they equal it for a single image.
    """

    low: float
    high: float
    count: int
    mean: float
    low95: float
    high95: float

    @property
    def centre(self) -> float:
        """Middle of the bin."""
        return (self.low + self.high) / 2


def join_draws(scores: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """Per-image scores with the drawn parameters of the same images; images that lack either are left out."""
    return scores.merge(draws[["id", *DRAWS]], on="id")


def by_strength(joined: pd.DataFrame, parameter: str, metric: str, bins: int = 5) -> list[Bin]:
    """Mean of a per-image metric in equal-width bins of a drawn parameter; empty bins are left out."""
    values, drawn = joined[metric].to_numpy(np.float64), joined[parameter].to_numpy(np.float64)
    there = np.isfinite(values) & np.isfinite(drawn)
    values, drawn = values[there], drawn[there]
    if not len(values):
        return []
    edges = _edges(drawn, bins)
    place = np.clip(np.searchsorted(edges, drawn, side="right") - 1, 0, len(edges) - 2)
    result = []
    for number in range(len(edges) - 1):
        inside = values[place == number]
        if len(inside):
            mean = float(inside.mean())
            error = 1.96 * float(inside.std(ddof=1)) / len(inside) ** 0.5 if len(inside) > 1 else 0.0
            span = float(edges[number]), float(edges[number + 1])
            result.append(Bin(*span, len(inside), mean, mean - error, mean + error))
    return result


def _edges(drawn: np.ndarray, bins: int) -> np.ndarray:
    low, high = float(drawn.min()), float(drawn.max())
    whole = bool(np.all(drawn == np.round(drawn)))
    if whole and high - low < 2 * bins:
        # few whole numbers: bins around them, so that no bin holds more numbers than another by accident
        width = max(1, int(np.ceil((high - low + 1) / (bins + 1))))
        return np.arange(low - 0.5, high + 0.5 + width, width)
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def severity_table(
    per_image: dict[str, pd.DataFrame], draws: dict[str, pd.DataFrame], pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """All bins of all (objective, method) pairs as one table for plots and further work."""
    rows = []
    for objective, method in pairs:
        if method not in per_image or objective not in draws:
            continue
        frame = join_draws(per_image[method], draws[objective])
        names = [name for name in ("psnr", ranking_metric(frame)) if name and name in frame]
        for parameter in DRAWS:
            for metric in dict.fromkeys(names):
                for part in by_strength(frame, parameter, metric):
                    numbers = (part.low, part.high, part.count, part.mean, part.low95, part.high95)
                    rows.append((objective, method, parameter, metric, *numbers))
    columns = ["objective", "method", "parameter", "metric", "low", "high", "images", "mean", "low95", "high95"]
    return pd.DataFrame(rows, columns=columns)
