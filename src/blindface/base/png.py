"""Images as PNG files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2

from blindface.base.errors import InputError
from blindface.base.files import write_bytes
from blindface.base.image_table import image_shape, read_images, read_table
from blindface.base.images import Image
from blindface.base.progress import track

COLUMNS = ("image", "target", "blind", "step1", "step2", "step3")
"""The image columns that the stages write."""


def write_png(folder: Path, name: str, image: Image) -> None:
    """Write uint8 RGB (H, W, 3) as `<folder>/<name>.png`. Errors: InputError if the name leads out of the folder."""
    if re.search(r"(^|/)\.\.?(/|$)|^/|\\|\0", name):
        raise InputError(f"the image id {name!r} is no path inside a folder: make the targets again")
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    write_bytes(folder / f"{name}.png", encoded.tobytes())


def export_images(
    table: Path, folder: Path, column: str | None = None, ids: Sequence[str] = (), limit: int | None = None
) -> int:
    """Write `<folder>/<id>.png` for the given ids of an image table, or its first `limit` (None: all).

    column: which image column, where there are several. Returns the number of files. Errors: InputError for a table
    without such a column or an id that it does not have.
    """
    columns = [name for name in COLUMNS if _has(table, name)]
    if not columns:
        raise InputError(f"{table} holds no images: give targets, pairs or restored images")
    column = column or (columns[0] if len(columns) == 1 else "")
    if column not in columns:
        raise InputError(f"{table} has the image columns {', '.join(columns)}: choose one by --column")
    names = list(dict.fromkeys(ids)) or [str(name) for name in read_table(table)["id"]][:limit]
    for start in track(range(0, len(names), 256), "export"):
        some = names[start : start + 256]
        for name, image in zip(some, read_images(table, column, some), strict=True):
            write_png(folder, name, image)
    return len(names)


def _has(table: Path, column: str) -> bool:
    try:
        image_shape(table, column)
    except KeyError:
        return False
    return True
