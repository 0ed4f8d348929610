"""The random part of equation (1): one uniform draw of (k, sigma, s, delta, q) per image, and the noise's generator.

A draw is a function of (seed, objective, image id, epoch, name of the parameter) by SHA-256 alone: it depends neither
on the order of the images nor on NumPy's version. `epoch=None` is the paper's fixed draw; an epoch gives a fresh one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindface.base.randomness import derive_seed, generator
from blindface.params.data import DegradationParams

_BITS = 128
_REAL_BITS = 53
_REAL_LEVELS = float(2**_REAL_BITS - 1)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The drawn parameters of one image: k, sigma [px], s [px], delta [levels of 255], q."""

    k: int
    sigma: float
    s: int
    delta: float
    q: int


def _purpose(objective: str, name: str, epoch: int | None) -> tuple[str | int, ...]:
    return ("pairs", objective, name) if epoch is None else ("pairs", objective, name, "epoch", epoch)


def _integer(bits: int, bounds: tuple[int, int]) -> int:
    """128 uniform bits -> uniform integer, both ends included."""
    low, high = bounds
    return low + ((bits * (high - low + 1)) >> _BITS)


def _real(bits: int, bounds: tuple[float, float]) -> float:
    """128 uniform bits -> uniform real on a grid of 2^53 points, both ends included."""
    low, high = bounds
    share = (bits >> (_BITS - _REAL_BITS)) / _REAL_LEVELS
    return min(low + (high - low) * share, high)


def draw(seed: int, objective: str, name: str, ranges: DegradationParams, epoch: int | None = None) -> Drawn:
    """Draw the parameters of the image called `name`, each uniform in its range of `ranges`, both ends included."""
    purpose = _purpose(objective, name, epoch)

    def bits(parameter: str) -> int:
        return derive_seed(seed, *purpose, parameter)

    return Drawn(
        k=_integer(bits("k"), ranges.k),
        sigma=_real(bits("sigma"), ranges.sigma),
        s=_integer(bits("s"), ranges.s),
        delta=_real(bits("delta"), ranges.delta),
        q=_integer(bits("q"), ranges.q),
    )


def noise_generator(seed: int, objective: str, name: str, epoch: int | None = None) -> np.random.Generator:
    """The generator of an image's noise; apart from the draw, so that either can be repeated alone."""
    return generator(seed, *_purpose(objective, name, epoch), "noise")
