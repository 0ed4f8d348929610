"""Memorisation: does a model give back faces that it was trained on, rather than the one it was given?

Every restored face and its target are looked up among the training faces by their embeddings (cosine similarity). A
model that only restores brings a face no nearer to the training faces than its target is; one that gives back what it
has seen does, and then its faces are nearer to a training face than to their own targets. The first number follows the
nearest-neighbour tests of generative models (Meehan, Chaudhuri and Dasgupta 2020, arXiv 2004.05675).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blindface.metrics.identity import cosine_similarity

Embeddings = NDArray[np.floating]
_BLOCK = 1024


@dataclass(frozen=True)
class Memorisation:
    """Cosines in [-1, 1], (N,) each: of restored faces and of their targets with their nearest training face."""

    restored: NDArray[np.float64]
    target: NDArray[np.float64]
    own: NDArray[np.float64]
    """Of restored faces with their own targets."""

    @property
    def excess(self) -> NDArray[np.float64]:
        """How much nearer to the training faces restored faces are than their targets; 0: not at all."""
        return self.restored - self.target

    @property
    def recalled(self) -> NDArray[np.bool_]:
        """Whether a restored face is nearer to a training face than to its own target."""
        return self.restored > self.own


def measure_memorisation(restored: Embeddings, targets: Embeddings, training: Embeddings) -> Memorisation:
    """Look restored faces (N, D) and their targets (N, D) up among training faces (M, D), M at least 1.

    Errors: ValueError for other shapes.
    """
    return Memorisation(
        nearest_similarity(restored, training),
        nearest_similarity(targets, training),
        cosine_similarity(restored, targets),
    )


def nearest_similarity(faces: Embeddings, known: Embeddings) -> NDArray[np.float64]:
    """The largest cosine of each face (N, D) with any of the known ones (M, D): float64 (N,) in [-1, 1].

    Errors: ValueError for other shapes, or no known face.
    """
    if faces.ndim != 2 or known.ndim != 2 or faces.shape[1] != known.shape[1] or not len(known):
        raise ValueError(f"expected embeddings (N, D) and (M, D) with M > 0, got {faces.shape} and {known.shape}")
    units = _units(known)
    blocks = [_units(faces[start : start + _BLOCK]) @ units.T for start in range(0, len(faces), _BLOCK)]
    return np.concatenate([block.max(axis=1) for block in blocks] or [np.empty(0)]).clip(-1, 1)


def _units(embeddings: Embeddings) -> NDArray[np.float64]:
    wide = np.asarray(embeddings, np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True).clip(1e-12))
