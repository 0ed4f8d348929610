"""A plain folder of pictures through one trained model, into a folder of PNGs of the same names.

The pictures are taken for crops of faces: upright, the face filling them about as in LFW. Each is brought to the size
that the model takes, as a target is made from a photograph: any format, the largest centred square, reduced by area.
Smaller ones are enlarged by cubic interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blindface.base.errors import InputError
from blindface.base.png import write_png
from blindface.base.progress import track
from blindface.params.results import RestoreParams
from blindface.photographs.decode import UnusableError, decode_target
from blindface.restoration.models import Model, load_model

if TYPE_CHECKING:
    import torch

    from blindface.base.images import Image


@dataclass(frozen=True)
class RestoredFolder:
    """What was restored: the number of pictures, the size they were brought to, and why others were left out."""

    pictures: int
    input_size: int
    left_out: dict[str, str]


def restore_folder(
    model: Path, folder: Path, output: Path, params: RestoreParams | None = None, device: torch.device | str = "cpu"
) -> RestoredFolder:
    """Write `<output>/<name>.png` (128x128) for every picture `<folder>/<name>.<suffix>`, at any depth.

    Errors: InputError if there is no such folder or no picture in it, if two pictures differ by their suffix only, if
    the output lies in the folder, or for a broken model; DeviceError if the GPU's memory does not suffice.
    """
    params, folder, output = params or RestoreParams(), Path(folder).expanduser(), Path(output).expanduser()
    names = _pictures(folder, output)
    loaded = load_model(model, params.weights, device, params.flow)
    left_out: dict[str, str] = {}
    written = 0
    for start in track(range(0, len(names), params.batch_size), f"restoring {folder}"):
        some = names[start : start + params.batch_size]
        read = {name: _read(path, loaded, left_out) for name, path in some}
        images = {name: image for name, image in read.items() if image is not None}
        if not images:
            continue
        for name, image in zip(images, loaded(np.stack(list(images.values())), list(images)), strict=True):
            write_png(output, name, image)
        written += len(images)
    if not written:
        name, reason = next(iter(left_out.items()))
        raise InputError(
            f"{folder} holds no picture that can be read, such as {name} ({reason}): give JPEG or PNG files"
        )
    return RestoredFolder(written, loaded.input_size, left_out)


def _pictures(folder: Path, output: Path) -> Sequence[tuple[str, Path]]:
    """The files by their names without suffix, sorted; hidden ones are left alone."""
    if not folder.is_dir():
        raise InputError(f"{folder.absolute()} is no folder: give the folder that holds the pictures")
    if output.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{output} lies in {folder}: give another place, or the results would be taken for pictures")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if not path.is_file() or any(part.startswith(".") for part in relative.parts):
            continue
        name = relative.with_suffix("").as_posix()
        if name in found:
            raise InputError(f"{found[name].name} and {path.name} in {folder} differ by their suffix only: rename one")
        found[name] = path
    if not found:
        raise InputError(f"{folder.absolute()} holds no picture: give the folder that holds them")
    return list(found.items())


def _read(path: Path, model: Model, left_out: dict[str, str]) -> Image | None:
    try:
        content, size = path.read_bytes(), model.input_size
        target = decode_target(content, size, "area", smallest_side=1, suffix=path.suffix)
        if target.side < size:
            target = decode_target(content, size, "cubic", smallest_side=1, suffix=path.suffix)
        return target.image
    except (UnusableError, OSError) as error:
        left_out[path.name] = str(error)
        return None
