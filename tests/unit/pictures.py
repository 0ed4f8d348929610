"""Seeded pictures for the tests of metrics: smooth coloured shapes with texture, and damaged copies of them."""

from __future__ import annotations

import cv2
import numpy as np

from blindface.base.images import Image
from blindface.base.randomness import generator


def textured(count: int, size: int = 128, seed: int = 1) -> Image:
    """Pictures with structure at every scale and no flat region, uint8 (count, size, size, 3)."""
    pictures = []
    for number in range(count):
        random = generator(seed, "picture", number)
        layers = np.zeros((size, size, 3))
        for sigma in (1, 4, 16):
            noise = cv2.GaussianBlur(random.normal(size=(size, size, 3)), (0, 0), sigma)
            layers += noise / noise.std()
        layers += 0.2 * random.normal(size=layers.shape)
        pictures.append(np.clip(128 + 28 * layers, 0, 255).round().astype(np.uint8))
    return np.stack(pictures)


def noisy(pictures: Image, deviation: float, seed: int = 2) -> Image:
    """The pictures with Gaussian noise, in levels."""
    noise = generator(seed, "noise").normal(0, deviation, pictures.shape)
    return np.asarray(np.clip(pictures + noise, 0, 255).round().astype(np.uint8))


def grey(pictures: Image) -> Image:
    """The pictures' green channel in all three, so that no library's rounding of the luma matters."""
    return np.repeat(pictures[..., 1:2], 3, axis=-1)
