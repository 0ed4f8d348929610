"""Delete-a-group jackknife: the standard error of a number that a whole set of images has (Wolter 2007, ch. 4).

A bootstrap would not do for distances between sets: resamples repeat images, which biases them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blindface.base.randomness import generator

GROUPS = 10


def jackknife_groups(
    count: int, seed: int, people: Sequence[str] | NDArray[np.str_] | None = None, groups: int = GROUPS
) -> NDArray[np.intp] | None:
    """A group, from 0, for each of `count` images, no person in two of them: (count,).

    people: whose photograph each image is; without it, or where fewer than `groups` people are there, each image stands
    for itself. None below 2 x `groups` images.
    """
    if count < 2 * groups:
        return None
    names, owners = np.unique(np.arange(count) if people is None else np.asarray(people), return_inverse=True)
    if len(names) < groups:
        names, owners = np.arange(count), np.arange(count)
    place = np.empty(len(names), np.intp)
    place[generator(seed, "jackknife", len(names)).permutation(len(names))] = np.arange(len(names)) % groups
    return np.asarray(place[owners.ravel()], dtype=np.intp)


def jackknife_deviation(values: Sequence[float]) -> float:
    """The standard error from the values without each of the groups."""
    found = np.asarray(values, dtype=np.float64)
    return float(np.sqrt((len(found) - 1) / len(found) * np.square(found - found.mean()).sum()))
