"""Identity similarity: does a face embedding see the same person in the restored image and in the target?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cosine_similarity(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine of the angle between paired embeddings (N, D): float64 (N,) in [-1, 1]; NaN where one has no length."""
    a, b = (np.asarray(part, dtype=np.float64) for part in (first, second))
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"expected paired embeddings (N, D), got {a.shape} and {b.shape}")
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = np.einsum("nd,nd->n", a, b)
    cosines = np.divide(products, lengths, out=np.full(len(a), np.nan), where=lengths > 0)
    return np.asarray(cosines.clip(-1, 1))
