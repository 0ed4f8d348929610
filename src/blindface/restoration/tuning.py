"""Choosing one number of a method on the validation part, so that no test image has a say in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from blindface.base.errors import InputError
from blindface.base.image_table import count_rows, iterate_images, read_images
from blindface.base.images import Image
from blindface.base.progress import track

Criterion = Literal["psnr", "ssim"]


class Adjustable(Protocol):
    """A method with one free number; `prepare` holds the work that all its values share."""

    @property
    def values(self) -> tuple[float, ...]:
        """The values to choose from."""

    @property
    def what(self) -> str:
        """What the number is, for the record."""

    def prepare(self, images: Image) -> Any:
        """Blind images, uint8 (N, S, S, 3) -> whatever `finish` takes."""

    def finish(self, prepared: Any, value: float) -> Image:
        """Restored images, uint8 (N, 128, 128, 3)."""


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


def choose(
    method: Adjustable, pairs: Path | None, targets: Path | None, criterion: Criterion, batch_size: int
) -> Choice:
    """The value with the highest mean PSNR or SSIM (per image, RGB) over the validation pairs; the first of equals.

    A single value needs no validation part. Errors: InputError if there is a choice and no validation image.
    """
    if len(method.values) == 1:
        return Choice(method.what, method.values[0], "given", 0, {})
    if pairs is None or targets is None or count_rows(pairs) == 0:
        raise InputError(
            f"no validation images to choose the {method.what} on: set split.validation above 0 (and give --validation "
            "and --targets by hand), or name a single value in restore.strengths or restore.blend"
        )
    total = count_rows(pairs)
    sums = np.zeros(len(method.values))
    for ids, images in track(iterate_images(pairs, "blind", batch_size), "choosing", -(-total // batch_size)):
        wanted, prepared = read_images(targets, "target", ids), method.prepare(images)
        sums += [_measure(method.finish(prepared, value), wanted, criterion).sum() for value in method.values]
    means = sums / total
    best = int(np.argmax(means))
    record = {f"{value:g}": round(float(mean), 6) for value, mean in zip(method.values, means, strict=True)}
    return Choice(method.what, method.values[best], criterion, total, record)


def _measure(images: Image, targets: Image, criterion: Criterion) -> Any:
    from blindface.metrics.psnr import psnr
    from blindface.metrics.ssim import ssim

    return {"psnr": psnr, "ssim": ssim}[criterion](images, targets).numpy()
