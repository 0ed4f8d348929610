"""Tuning the one free number of a method on the validation part, so that no test image has a say in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from blindface.base.errors import InputError
from blindface.base.image_table import count_rows, iterate_images, read_images
from blindface.base.images import Image
from blindface.base.progress import track
from blindface.restoration.methods import Tuned
from blindface.restoration.ways import Restorer

Criterion = Literal["psnr", "ssim"]


@dataclass(frozen=True)
class Choice:
    """The chosen value and why: the mean of the criterion over the validation images for every value."""

    what: str
    value: float
    criterion: str
    images: int
    means: dict[str, float]

    def record(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return asdict(self)


def tune(
    restorer: Restorer,
    number: Tuned,
    values: tuple[float, ...],
    pairs: Path | None,
    targets: Path | None,
    criterion: Criterion,
    batch_size: int,
) -> Choice:
    """The value with the highest mean PSNR or SSIM (per image, RGB) over the validation pairs; the first of equals.

    A single value needs no validation part. Errors: InputError if there is a choice and no validation image.
    """
    if len(values) == 1:
        return Choice(number.what, values[0], "given", 0, {})
    if pairs is None or targets is None or count_rows(pairs) == 0:
        raise InputError(
            f"no validation images to tune the {number.what} on: set split.validation above 0 (and give --validation "
            f"and --targets by hand), or name a single value in restore.{number.key}"
        )
    total = count_rows(pairs)
    sums = np.zeros(len(values))
    for ids, images in track(iterate_images(pairs, "blind", batch_size), "tuning", -(-total // batch_size)):
        wanted, prepared = read_images(targets, "target", ids), restorer.prepare(images, ids)
        sums += [_measure(restorer.finish(prepared, value), wanted, criterion).sum() for value in values]
    means = sums / total
    best = int(np.argmax(means))
    record = {f"{value:g}": round(float(mean), 6) for value, mean in zip(values, means, strict=True)}
    return Choice(number.what, values[best], criterion, total, record)


def _measure(images: Image, targets: Image, criterion: Criterion) -> Any:
    from blindface.metrics.psnr import psnr
    from blindface.metrics.ssim import ssim

    return {"psnr": psnr, "ssim": ssim}[criterion](images, targets).numpy()
