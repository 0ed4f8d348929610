"""Pairs as PNG files, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from blindface.base.errors import InputError
from blindface.base.image_table import read_images, read_table
from blindface.base.images import Image, resize
from blindface.base.png import write_png
from blindface.base.progress import track

KINDS = ("blind", "target", "pair")


def export_pairs(
    targets: Path, pairs: Path, folder: Path, ids: Sequence[str] = (), limit: int | None = None, kind: str = "pair"
) -> int:
    """Write `<folder>/<id>.png` for the given ids, or the first `limit` of the file (None: all); returns their number.

    kind: "blind" or "target" alone, or "pair": the blind image enlarged without smoothing, beside its target.
    Errors: InputError if an id is not in the file, is no path inside the folder, or the kind is unknown.
    """
    if kind not in KINDS:
        raise InputError(f"unknown kind of image {kind!r}: choose one of {', '.join(KINDS)}")
    known = read_table(pairs)["id"].tolist()
    strangers = sorted(set(ids) - set(known))
    if strangers:
        raise InputError(
            f"{pairs} has no image {strangers[0]}: ids look like {known[0] if known else 'Name/Name_0001'}"
        )
    names = sorted(set(ids)) or known[:limit]
    for start in track(range(0, len(names), 256), "export"):
        some = names[start : start + 256]
        stacks = zip(some, read_images(pairs, "blind", some), read_images(targets, "target", some), strict=True)
        for name, blind, target in stacks:
            write_png(folder, name, _picture(blind, target, kind))
    return len(names)


def _picture(blind: Image, target: Image, kind: str) -> Image:
    if kind == "pair":
        return np.hstack([resize(blind, len(target), "nearest"), target])
    return blind if kind == "blind" else target
