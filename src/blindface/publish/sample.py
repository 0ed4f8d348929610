"""Sheets of published generators on rendered faces: to look at, and to check that the files do the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from blindface.base.files import atomic_path
from blindface.base.images import SIZE, Image, resize
from blindface.degradation.batch import Degrader
from blindface.networks.model_file import load_generator
from blindface.params import OBJECTIVES, Objective, PairsParams
from blindface.rendered.archive import photograph_id
from blindface.rendered.render import render_photograph
from blindface.restoration.models import restore_images

SEED = 2024
FACES = ((1, 1), (6, 1), (9, 1), (17, 1))
"""Identity and photograph of the rendered faces shown."""


def sample_sheet(model: Path, objective: Objective, faces: Sequence[tuple[int, int]] = FACES) -> Image:
    """One row per face: blind image, the outputs of steps 1, 2 and 3, and the original, each enlarged to 128x128.

    The faces, their degradations (default parameters) and the weights decide it. Returns (128 faces, 640, 3) uint8 RGB.
    """
    columns = _columns(model, objective, faces)
    enlarged = [[resize(image, SIZE, "nearest") for image in column] for column in columns]
    return np.concatenate([np.concatenate(row, axis=1) for row in zip(*enlarged, strict=True)], axis=0)


def _columns(model: Path, objective: Objective, faces: Sequence[tuple[int, int]]) -> list[Image]:
    """Stacks of blind images, the outputs of steps 1, 2, 3, and targets."""
    targets = [resize(render_photograph(*face, SEED).image, SIZE, "area") for face in faces]
    with Degrader(objective, PairsParams(), workers=1) as degrader:
        blinds = [degrader.one(t, photograph_id(*f))[1] for t, f in zip(targets, faces, strict=True)]
    return [np.stack(blinds), *restore_images(load_generator(model), np.stack(blinds)), np.stack(targets)]


def write_overview(output: Path, models: Mapping[Objective, Path], faces: Sequence[tuple[int, int]] = FACES) -> None:
    """Write a PNG of one generator per objective on the same faces, each from its own blind image."""
    from blindface.report.figures.montage import Strip, montage

    first, second = (_columns(models[name], name, faces) for name in OBJECTIVES)
    heads = ["blind 16×16", "objective 1", "blind 128×128", "objective 2", "original"]
    rows = zip(first[0], first[3], second[0], second[3], second[4], strict=True)
    with atomic_path(output) as temporary:
        montage([Strip("", row) for row in rows], heads).savefig(temporary, format="png")


def write_sample(model: Path, objective: Objective) -> Path:
    """Write the sheet as a PNG beside the model file; returns its path."""
    path = Path(model).with_suffix(".png")
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(sample_sheet(model, objective), cv2.COLOR_RGB2BGR))
    return path
