"""One random generator per purpose, so that no result depends on the order or the number of workers."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A 128-bit seed from a base seed and the words that name a purpose.

    The words are joined unambiguously and hashed with SHA-256: equal on every machine and Python version.
    Example: `derive_seed(2024, "pairs", "objective1", "Abba_Eban/Abba_Eban_0001")`.
    """
    text = "\x1f".join([str(int(seed)), *(str(word) for word in purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A NumPy generator (PCG64DXSM) that depends on nothing but the base seed and the purpose."""
    return np.random.Generator(np.random.PCG64DXSM(derive_seed(seed, *purpose)))
