"""From values per image to the numbers of a table: over batches (the paper's way) and per image with an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blindface.base.errors import InputError
from blindface.base.randomness import generator

Values = NDArray[np.float64]
LEVEL = 0.95
_BLOCK = 4_000_000
"""Most numbers drawn at a time, which bounds the memory of a bootstrap."""


@dataclass(frozen=True)
class Interval:
    """A mean over images with the bounds of its 95 % interval (None where there are too few images)."""

    mean: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class PairedDifference(Interval):
    """The mean of `a - b` over the images both have, and the share of images where a is the larger."""

    a_larger: float


def over_batches(
    values: Values, batch_size: int, batch_value: Callable[[Values], float] = np.nanmean
) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation of the batches' values, batches in the order of the file.

    A last, shorter batch is left out: its value scatters more than the others. Where it is the only batch, it counts,
    and there is no deviation. Values that are not numbers are left out of their batch.
    """
    starts = range(0, max(len(values) - batch_size, 0) + 1, batch_size)
    batches = [values[start : start + batch_size] for start in starts]
    found = np.array([batch_value(batch) for batch in batches if not np.isnan(batch).all()])
    if len(found) == 0:
        return None, None
    return float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else None


def people_of(ids: Iterable[str]) -> NDArray[np.str_]:
    """Whose photograph each image is, by its id: its first folder, as `fetch.person_level` has it unless it is changed.

    Outside any folder an image stands for itself.
    """
    return np.array([str(name).partition("/")[0] for name in ids], dtype=np.str_)


def bootstrap_mean(
    values: Values, resamples: int, seed: int, people: Sequence[str] | NDArray[np.str_] | None = None
) -> Interval | None:
    """Mean over images with its percentile bootstrap interval; None without any finite value.

    people: (N,) whose photograph each image is. Persons are resampled, each with all photographs: those of one person
    are alike, and resampling them one by one would give too narrow an interval. Without it, where nobody has two, or
    where all are of one person, images are resampled. The draws depend on the seed and the number of persons only, so
    metrics and methods share them.
    """
    usable = np.isfinite(values)
    finite = values[usable]
    if len(finite) == 0:
        return None
    mean = float(finite.mean())
    owners = resampled_units(len(finite), None if people is None else np.asarray(people)[usable])
    counts = np.bincount(owners)
    if len(counts) < 2 or resamples == 0:
        return Interval(mean, None, None, len(finite))
    sums = np.bincount(owners, finite)
    means = np.concatenate(
        [sums[rows].sum(axis=1) / counts[rows].sum(axis=1) for rows in resampled(len(counts), resamples, seed)]
    )
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean, float(low), float(high), len(finite))


def resampled_units(count: int, people: NDArray[np.str_] | None) -> NDArray[np.intp]:
    """The number, from 0, of what each of `count` images is resampled with: its person, or itself."""
    if people is not None:
        names, owners = np.unique(people, return_inverse=True)
        if len(names) > 1:
            return np.asarray(owners.ravel(), dtype=np.intp)
    return np.arange(count)


def resampled(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.int32]]:
    """Blocks of resamples (R, count): which of `count` persons were drawn, with replacement."""
    draws = generator(seed, "bootstrap", count)
    step = max(_BLOCK // count, 1)
    for start in range(0, resamples, step):
        yield draws.integers(count, size=(min(step, resamples - start), count), dtype=np.int32)


def paired_difference(
    images_a: pd.DataFrame, images_b: pd.DataFrame, metric: str, resamples: int = 1000, seed: int = 2024
) -> PairedDifference:
    """How much two methods differ in a metric, image by image, from their tables of `data/scores/<method>.parquet`.

    Far narrower than the difference of two intervals, because hard images are hard for both. Errors: InputError if a
    table lacks the metric, or they share no image with a value.
    """
    for table, place in ((images_a, "first"), (images_b, "second")):
        if metric not in table.columns:
            raise InputError(
                f"the {place} table has no metric '{metric}': evaluate both methods with the same parameters"
            )
    both = images_a[["id", metric]].merge(images_b[["id", metric]], on="id", suffixes=("_a", "_b")).sort_values("id")
    differences = (both[f"{metric}_a"] - both[f"{metric}_b"]).to_numpy(dtype=np.float64)
    found = bootstrap_mean(differences, resamples, seed, people_of(both["id"]))
    if found is None:
        raise InputError(f"the two tables share no image with a value of '{metric}': they are of different test parts")
    larger = float((differences[np.isfinite(differences)] > 0).mean())
    return PairedDifference(found.mean, found.low, found.high, found.count, larger)


def paired_differences(
    images_a: pd.DataFrame, images_b: pd.DataFrame, metrics: Iterable[str], resamples: int = 1000, seed: int = 2024
) -> dict[str, PairedDifference]:
    """`paired_difference` in each of `metrics` for which the two tables share an image with a value."""
    found = {}
    for metric in metrics:
        with suppress(InputError):
            found[metric] = paired_difference(images_a, images_b, metric, resamples, seed)
    return found
