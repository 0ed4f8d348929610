"""Stand-ins for detectors and networks, and small files that tests of landmarks share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blindface.base.image_table import ImageTableWriter
from blindface.landmarks.detection import FIELDS, Faces, make_faces


class RedDetector:
    """Sees as many faces as the first pixel's red says, side by side, the first in the middle."""

    def __call__(self, images: NDArray[np.uint8]) -> list[Faces]:
        found = []
        for image in images:
            count = int(image[0, 0, 0])
            boxes = np.array([[40 + 60 * n, 40, 90 + 60 * n, 90] for n in range(count)], np.float32).reshape(-1, 4)
            found.append(make_faces(boxes, np.full(count, 0.9)) if count else np.empty((0, FIELDS), np.float32))
        return found


class BoxBackend:
    """Puts all points on the line between the box's corners; remembers how many pictures of what size it saw."""

    def __init__(self, own_half: bool = False, fail_after: int | None = None) -> None:
        self.own_half, self.fail_after = own_half, fail_after
        self.seen: list[tuple[int, int]] = []

    def __call__(self, images: NDArray[np.uint8], faces: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.fail_after is not None and len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen.append((len(images), images.shape[1]))
        share = np.linspace(0, 1, 68)[None, :, None]
        return (faces[:, None, :2] * (1 - share) + faces[:, None, 2:4] * share).astype(np.float32)


def write_targets(path: Path, faces: list[int], ids: list[str] | None = None, source: int = 256) -> list[str]:
    """Targets whose first pixel's red is the number of faces; returns their ids."""
    ids = ids or [f"Person_{n:03d}/Person_{n:03d}_0001" for n in range(len(faces))]
    columns = {"id": pa.string(), "source_width": pa.int32(), "source_height": pa.int32()}
    columns |= {name: pa.int32() for name in ("crop_x", "crop_y", "crop_size")}
    images = np.random.default_rng(5).integers(0, 256, (len(faces), 128, 128, 3), np.uint8)
    images[:, 0, 0, 0] = faces
    sides = dict.fromkeys(("source_width", "source_height", "crop_size"), [source] * len(faces))
    with ImageTableWriter(path, columns, {"target": (128, 128, 3)}) as writer:
        writer.append({"id": ids, **sides, "crop_x": [0] * len(faces), "crop_y": [0] * len(faces)}, {"target": images})
    return ids
