"""Two models on the same photograph, their results blended: I = w * G1(I_blind) + (1 - w) * G2(I_blind).

Where the second model takes smaller images, it gets the blind ones brought to its size by the reduction of its own
degradation (`pairs.reduction`). `parallel` is such a blend: objective 1 repairs what noise and JPEG left nothing of,
objective 2 keeps what is there. Of a GAN and the posterior mean, w says how much is made up: any point between the
two is the best there is for some share of perception (Freirich et al. 2021, arXiv 2107.02555).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blindface.base.images import Image, resize
from blindface.restoration.methods import objective_of
from blindface.restoration.models import Model
from blindface.restoration.ways import Given, check_size


def blend(first: Image, second: Image, weight: float) -> Image:
    """weight * first + (1 - weight) * second of uint8 stacks, rounded to the nearest level (halves up)."""
    mixed = weight * first.astype(np.float64) + (1 - weight) * second.astype(np.float64)
    return np.floor(mixed + 0.5).astype(np.uint8)


@dataclass(frozen=True)
class Blending:
    """Two models side by side; the first one's weight is the free number."""

    first: Model
    second: Model
    reduction: str

    def prepare(self, images: Image, ids: Sequence[str], first: Image | None = None) -> tuple[Image, Image]:
        """Both models' results on blind images (N, S, S, 3); first: those of the first, where they are known."""
        smaller = images
        if self.second.input_size < images.shape[1]:
            smaller = np.stack([resize(image, self.second.input_size, self.reduction) for image in images])
        return self.first(images, ids) if first is None else first, self.second(smaller, ids)

    def finish(self, prepared: tuple[Image, Image], value: float) -> Image:
        """The blend of one weight, uint8 (N, 128, 128, 3)."""
        return blend(*prepared, value)


def restorer(given: Given) -> Blending:
    """Errors: InputError if the first model does not fit the blind images, or the second what it gets."""
    first, second = given.models
    check_size(first, given.blind_size, f"gets {given.blind_size} px from {given.pairs}")
    reduced = objective_of(given.method.models[1]) != given.method.objective
    if not reduced:
        check_size(second, given.blind_size, f"gets {given.blind_size} px from {given.pairs}")
    elif second.input_size >= given.blind_size:
        check_size(second, 0, f"should get {given.pairs} reduced")
    return Blending(first, second, given.reduction)
