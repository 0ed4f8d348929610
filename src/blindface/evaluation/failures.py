"""Restored images that look like failures, and are named beside the numbers: flat, repeated, or copies of the target.

A metric without reference gives a flat image no value, or a flattering one; whoever reads a mean must know of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blindface.base.images import Image

FLAT = 1.0
"""Standard deviation of every colour channel, in levels of 255, below which an image is flat."""

WORDS = {
    "flat": "of a single colour",
    "repeated": "equal to another restored image, byte for byte",
    "target": "equal to the target, byte for byte",
}
"""What each kind is, in words."""


def flat_images(images: Image) -> NDArray[np.bool_]:
    """Whether each of (N, H, W, 3) uint8 images is of one colour: (N,)."""
    return np.asarray((images.std(axis=(1, 2)) < FLAT).all(axis=1))


@dataclass
class Failures:
    """Counts the suspect images of a method, stack by stack."""

    flat: list[bool] = field(default_factory=list)
    target: list[bool] = field(default_factory=list)
    _hashes: list[bytes] = field(default_factory=list, repr=False)

    def add(self, images: Image, targets: Image) -> None:
        """Look at a stack of restored images and its targets, (N, H, W, 3) uint8."""
        self.flat += flat_images(images).tolist()
        self.target += (images == targets).all(axis=(1, 2, 3)).tolist()
        self._hashes += [hashlib.sha256(image.tobytes()).digest() for image in images]

    def found(self, ids: Sequence[str]) -> dict[str, dict[str, object]]:
        """Kind -> how many images and the first of them; kinds without an image are left out."""
        times = Counter(self._hashes)
        kinds: Mapping[str, list[bool]] = {
            "flat": self.flat,
            "repeated": [times[digest] > 1 for digest in self._hashes],
            "target": self.target,
        }
        return {
            kind: {"images": sum(hits), "first": ids[hits.index(True)]} for kind, hits in kinds.items() if any(hits)
        }


def sentences(found: Mapping[str, Mapping[str, object]], images: int) -> list[str]:
    """`6 of 12 images are of a single colour`, one per kind; no image is named."""
    return [
        f"{entry['images']} of {images} images {'is' if entry['images'] == 1 else 'are'} {WORDS[kind]}"
        for kind, entry in found.items()
        if kind in WORDS
    ]
