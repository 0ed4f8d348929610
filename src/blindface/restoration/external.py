"""Somebody else's restorer as a row of the table: a folder of restored PNGs, named by image id.

`blindface export-pairs --kind blind` writes the blind images, `<folder>/<id>.png` (`Jane_Doe/Jane_Doe_0001.png`). The
other program's results are read back under the same names. Many programs write all results into one flat folder: the
last part of the id alone (`Jane_Doe_0001.png`) will do too, where it names one image only. A name that another system
wrote in another Unicode form (`é` as one character or as `e` with an accent) is the same name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from blindface.base.errors import InputError
from blindface.base.image_table import ImageTableWriter, image_shape, read_metadata, read_table
from blindface.base.images import Image, resize
from blindface.base.progress import say, track
from blindface.params import Objective
from blindface.params.base import explain
from blindface.params.results import ExternalMethod
from blindface.photographs.names import same_name

SHOWN = 3
"""Names in an error, for each kind of problem."""


def check_name(method: str) -> None:
    """Errors: ParameterError for a name that `restore.external`, and so the graph, refuses."""
    try:
        ExternalMethod(name=method, objective="objective1", folder=".")
    except ValidationError as error:
        raise explain(error, ExternalMethod, "--method") from None


def import_folder(
    folder: Path,
    pairs: Path,
    targets: Path,
    output: Path,
    method: str = "external",
    objective: Objective | None = None,
    resize_larger: bool = False,
) -> int:
    """Write the PNGs of `folder`, one for each image of `pairs`, as an image table like ours; returns their number.

    The file has the columns id and image, in the order of the pairs, and records the pairs' objective. objective: which
    the pairs must be of; resize_larger: square pictures above the targets' size are reduced to it (by area).
    Errors: InputError that names the files that are missing, belong to no image, have another size than the targets, or
    are no 8-bit RGB pictures, and for pairs of another objective; then nothing is written.
    """
    ids = [str(name) for name in read_table(pairs)["id"]]
    recorded = read_metadata(pairs).get("objective")
    if objective and recorded and objective != recorded:
        raise InputError(
            f"{pairs} holds blind images of {recorded}, not of {objective}: give the pairs that were restored"
        )
    shape = image_shape(targets, "target")
    problems, doubts = _Problems(), _Doubts()
    files = _match(Path(folder).expanduser(), ids, pairs, problems)
    made_of = {"objective": recorded or objective} if recorded or objective else {}
    metadata = {"method": method, **{key: str(value) for key, value in made_of.items()}}
    with ImageTableWriter(output, {"id": pa.string()}, {"image": shape}, metadata) as writer:
        for start in track(range(0, len(ids), 256), f"reading {folder}"):
            some = ids[start : start + 256]
            images = [_read(files.get(name), shape, problems, resize_larger) for name in some]
            doubts.look(some, images)
            writer.append({"id": some}, {"image": np.stack(images)})
        problems.refuse(folder, shape)
        doubts.tell(folder)
        return writer.rows


@dataclass
class _Problems:
    """What is wrong with the files, by kind."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        self.found.setdefault(kind, []).append(name)

    def refuse(self, folder: Path, shape: tuple[int, int, int]) -> None:
        """Raise InputError if there is any problem."""
        if not self.found:
            return
        texts = [f"{len(names)} {kind} ({_some(names)})" for kind, names in self.found.items()]
        larger = next((kind for kind in self.found if kind.startswith("larger")), None)
        remedy = "; --resize reduces those that are larger" if larger else ""
        raise InputError(
            f"{folder} does not hold one restored image for each blind one: {'; '.join(texts)}; write an 8-bit RGB PNG "
            f"of {shape[1]}x{shape[0]} px for every file of blindface export-pairs, under the same name{remedy}"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


@dataclass
class _Doubts:
    """Pictures that are measured, but that a restorer seldom means: of one colour, or equal to another one."""

    flat: list[str] = field(default_factory=list)
    equal: list[str] = field(default_factory=list)
    _seen: dict[int, str] = field(default_factory=dict)

    def look(self, ids: Sequence[str], images: Sequence[Image]) -> None:
        for name, image in zip(ids, images, strict=True):
            if (image == image[0, 0]).all():
                self.flat.append(name)
            elif self._seen.setdefault(hash(image.tobytes()), name) != name:
                self.equal.append(name)

    def tell(self, folder: Path) -> None:
        for names, what in ((self.flat, "of one colour"), (self.equal, "the same picture as another one")):
            if names:
                say(f"blindface: {len(names)} pictures of {folder} are {what}: {_some(names)}; they count as they are")


def _match(folder: Path, ids: Sequence[str], pairs: Path, problems: _Problems) -> dict[str, Path]:
    """The file of every id that has one; missing and extra files become problems.

    Errors: InputError if there is no id or no folder.
    """
    if not ids:
        raise InputError(f"{pairs} holds no image: make the pairs of the test part first")
    check_folder(folder)
    there = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if _counts(path, folder)}
    alike: dict[str, list[str]] = {}
    for name in there:
        alike.setdefault(same_name(name), []).append(name)
    last = Counter(same_name(name.rpartition("/")[2]) for name in ids)
    files: dict[str, Path] = {}
    left = dict.fromkeys(there)
    for name in ids:
        short = name.rpartition("/")[2]
        wanted = [f"{name}.png", *([f"{short}.png"] if last[same_name(short)] == 1 else [])]
        matches = next((found for one in wanted if (found := _matches(one, left, alike))), [])
        if not matches:
            problems.add("missing", wanted[0])
        elif len(matches) > 1:
            problems.add("there twice, in two Unicode forms of one name", wanted[0])
        else:
            files[name] = there[matches[0]]
        for match in matches:
            del left[match]
    for name in left:
        problems.add("of no blind image", name)
    return files


def check_folder(folder: Path) -> None:
    """Errors: InputError if there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder.absolute()} is no folder: give the folder that holds the restored PNGs")


def _matches(name: str, left: Mapping[str, None], alike: Mapping[str, Sequence[str]]) -> list[str]:
    """The files left that have this very name, else those whose name is the same once normalised."""
    return [name] if name in left else [other for other in alike.get(same_name(name), []) if other in left]


def _counts(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.is_file() and not hidden


def _read(path: Path | None, shape: tuple[int, int, int], problems: _Problems, resize_larger: bool) -> Image:
    """One picture as RGB; a black one in the place of a picture that is missing or has a problem."""
    if path is None:
        return np.zeros(shape, np.uint8)
    content = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
    problem = _problem(content, shape, resize_larger)
    if content is None or problem is not None:
        problems.add(problem or "unreadable", path.name + _size(content, problem))
        return np.zeros(shape, np.uint8)
    return resize(np.asarray(cv2.cvtColor(content, cv2.COLOR_BGR2RGB), dtype=np.uint8), shape[0], "area")


def _problem(content: NDArray[Any] | None, shape: tuple[int, int, int], resize_larger: bool) -> str | None:
    if content is None:
        return "unreadable"
    height, width = content.shape[:2]
    if (height, width) != shape[:2]:
        larger = height == width and height > shape[0]
        if not larger:
            return f"not of {shape[1]}x{shape[0]} px"
        if not resize_larger:
            return f"larger than {shape[1]}x{shape[0]} px"
    if content.dtype != np.uint8 or content.shape[2:] != (3,):
        return "not 8-bit RGB"
    return None


def _size(content: NDArray[Any] | None, problem: str | None) -> str:
    sized = content is not None and "px" in (problem or "")
    return f" is {content.shape[1]}x{content.shape[0]}" if sized and content is not None else ""
