"""A sample sheet of a published generator on rendered faces: to look at, and to check that the file does the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from blindface.degradation.batch import Degrader
from blindface.embedded.archive import photograph_id
from blindface.embedded.render import render_photograph
from blindface.files import atomic_path
from blindface.images import Image, resize
from blindface.model_file import load_generator
from blindface.params import Objective, PairsParams
from blindface.restore import restore_images

SEED = 2024
FACES = ((1, 1), (6, 1), (9, 1), (17, 1))
"""Identity and photograph of the rendered faces shown."""
SIZE = 128


def sample_sheet(model: Path, objective: Objective, faces: Sequence[tuple[int, int]] = FACES) -> Image:
    """One row per face: blind image, the outputs of steps 1, 2 and 3, and the original, each enlarged to 128x128.

    The faces, their degradations (default parameters) and the weights decide it. Returns (128 faces, 640, 3) uint8 RGB.
    """
    network = load_generator(model)
    targets = [resize(render_photograph(*face, SEED).image, SIZE, "area") for face in faces]
    with Degrader(objective, PairsParams(), workers=1) as degrader:
        blinds = [degrader.one(t, photograph_id(*f))[1] for t, f in zip(targets, faces, strict=True)]
    steps = restore_images(network, np.stack(blinds))
    columns = [np.stack(blinds), *steps, np.stack(targets)]
    enlarged = [[resize(image, SIZE, "nearest") for image in column] for column in columns]
    return np.concatenate([np.concatenate(row, axis=1) for row in zip(*enlarged, strict=True)], axis=0)


def write_sample(model: Path, objective: Objective) -> Path:
    """Write the sheet as a PNG beside the model file; returns its path."""
    path = Path(model).with_suffix(".png")
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(sample_sheet(model, objective), cv2.COLOR_RGB2BGR))
    return path
