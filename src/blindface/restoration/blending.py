"""Both objectives in parallel, for 128x128 inputs: objective 2's result blended with objective 1's.

    I = w * G2(I_blind) + (1 - w) * G1(I_blind reduced to 16x16)

Objective 1 sees the same photograph as it was trained to see it: brought to 16x16 by the reduction of its own
degradation (`pairs.reduction`). It repairs what noise and JPEG left nothing of; objective 2 keeps what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from blindface.base.images import Image, resize

Network = Callable[[Image], Image]
"""A trained model: uint8 (N, S, S, 3) of its input size -> uint8 (N, 128, 128, 3)."""


def blend(first: Image, second: Image, weight: float) -> Image:
    """weight * first + (1 - weight) * second of uint8 stacks, rounded to the nearest level (halves up)."""
    mixed = weight * first.astype(np.float64) + (1 - weight) * second.astype(np.float64)
    return np.floor(mixed + 0.5).astype(np.uint8)


@dataclass(frozen=True)
class Parallel:
    """Objective 2 and objective 1 side by side; objective 2's weight is what is chosen."""

    restore: Network
    upscale: Network
    input_size: int
    reduction: str
    values: tuple[float, ...]
    what: str = "weight of objective 2 in the blend"

    def prepare(self, images: Image, restored: Image | None = None) -> tuple[Image, Image]:
        """Both models' results on blind images (N, 128, 128, 3); restored: objective 2's, where they are there."""
        reduced = np.stack([resize(image, self.input_size, self.reduction) for image in images])
        return self.restore(images) if restored is None else restored, self.upscale(reduced)

    def finish(self, prepared: tuple[Image, Image], value: float) -> Image:
        """The blend of one weight, uint8 (N, 128, 128, 3)."""
        return blend(*prepared, value)
