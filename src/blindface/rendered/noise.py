"""Patterns drawn once per process: fine, cloudy and streaky noise that textures are cut from."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.base.randomness import generator

Array = NDArray[np.float32]
SIDE = 1024
_MARGIN = 512


def _standardise(pattern: Array) -> Array:
    return np.asarray((pattern - pattern.mean()) / pattern.std(), np.float32)


def _wrapped_blur(pattern: Array, sigma_x: float, sigma_y: float) -> Array:
    pad = int(3 * max(sigma_x, sigma_y)) + 1
    wide = cv2.copyMakeBorder(pattern, pad, pad, pad, pad, cv2.BORDER_WRAP)
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), max(sigma_x, 1e-3), sigmaY=max(sigma_y, 1e-3))[pad:-pad, pad:-pad])


@cache
def bank(kind: str) -> Array:
    """A wrapping pattern (SIDE, SIDE), mean 0, deviation 1. Kinds: fine, cloud, patch, strand, lock."""
    white = generator(0, "embedded", "noise", kind).standard_normal((SIDE, SIDE)).astype(np.float32)
    if kind == "fine":
        return _standardise(_wrapped_blur(white, 0.8, 0.8))
    if kind == "cloud":
        octaves = [_standardise(_wrapped_blur(white, s, s)) * np.float32(s**0.5) for s in (3, 7, 16, 32)]
        return _standardise(np.sum(octaves, axis=0))
    if kind == "patch":
        return _standardise(_wrapped_blur(white, 5, 5))
    if kind == "strand":
        return _standardise(
            _standardise(_wrapped_blur(white, 0.9, 40)) + 0.8 * _standardise(_wrapped_blur(white, 3, 60))
        )
    if kind == "lock":
        return _standardise(
            _standardise(_wrapped_blur(white, 10, 70)) + 0.6 * _standardise(_wrapped_blur(white, 4, 50))
        )
    raise ValueError(f"no noise pattern is called {kind!r}")


@cache
def _wide_bank(kind: str) -> Array:
    return np.asarray(cv2.copyMakeBorder(bank(kind), 0, _MARGIN, 0, _MARGIN, cv2.BORDER_WRAP))


def cut(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """A random cut of a pattern, (H, W)."""
    row, column = (int(place) for place in rng.integers(0, SIDE, 2))
    if max(shape) <= _MARGIN:
        return _wide_bank(kind)[row : row + shape[0], column : column + shape[1]]
    pattern = bank(kind)
    rows, columns = (row + np.arange(shape[0])) % SIDE, (column + np.arange(shape[1])) % SIDE
    return pattern[rows[:, None], columns[None, :]]


def look_up(kind: str, x: Array, y: Array) -> Array:
    """The pattern at wrapping coordinates (H, W) in texels."""
    return np.asarray(
        cv2.remap(bank(kind), x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    )
