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

import cv2
import numpy as np
import pyarrow as pa

from blindface.base.errors import InputError
from blindface.base.image_table import ImageTableWriter, image_shape, read_table
from blindface.base.images import Image
from blindface.base.progress import track
from blindface.photographs.names import same_name

SHOWN = 3
"""Names in an error, for each kind of problem."""


def import_folder(folder: Path, pairs: Path, targets: Path, output: Path, method: str = "external") -> int:
    """Pack the PNGs of `folder`, one for each image of `pairs`, like a method of ours; returns their number.

    The file has the columns id and image, in the order of the pairs. Errors: InputError that names the files that are
    missing, belong to no image, have another size than the targets, or are no 8-bit RGB pictures; then nothing is
    written.
    """
    ids = [str(name) for name in read_table(pairs)["id"]]
    shape = image_shape(targets, "target")
    problems = _Problems()
    files = _match(Path(folder).expanduser(), ids, pairs, problems)
    with ImageTableWriter(output, {"id": pa.string()}, {"image": shape}, {"method": method}) as writer:
        for start in track(range(0, len(ids), 256), f"reading {folder}"):
            some = ids[start : start + 256]
            images = [_read(files.get(name), shape, problems) for name in some]
            writer.append({"id": some}, {"image": np.stack(images)})
        problems.refuse(folder)
        return writer.rows


@dataclass
class _Problems:
    """What is wrong with the files, by kind."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        self.found.setdefault(kind, []).append(name)

    def refuse(self, folder: Path) -> None:
        """Raise InputError if there is any problem."""
        if not self.found:
            return
        texts = []
        for kind, names in self.found.items():
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            texts.append(f"{len(names)} {kind} ({', '.join(names[:SHOWN])}{more})")
        raise InputError(
            f"{folder} does not hold one restored image for each blind one: {'; '.join(texts)}; write an 8-bit RGB PNG "
            "of the target's size for every file that blindface export-pairs wrote, under the same name"
        )


def _match(folder: Path, ids: Sequence[str], pairs: Path, problems: _Problems) -> dict[str, Path]:
    """The file of every id that has one; missing and extra files become problems.

    Errors: InputError if there is no id or no folder.
    """
    if not ids:
        raise InputError(f"{pairs} holds no image: make the pairs of the test part first")
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give the folder that holds the restored PNGs")
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


def _matches(name: str, left: Mapping[str, None], alike: Mapping[str, Sequence[str]]) -> list[str]:
    """The files left that have this very name, else those whose name is the same once normalised."""
    return [name] if name in left else [other for other in alike.get(same_name(name), []) if other in left]


def _counts(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.is_file() and not hidden


def _read(path: Path | None, shape: tuple[int, int, int], problems: _Problems) -> Image:
    """One picture as RGB; a black one in the place of a picture that is missing or has a problem."""
    if path is None:
        return np.zeros(shape, np.uint8)
    content = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
    if content is None:
        problems.add("unreadable", path.name)
    elif content.shape[:2] != shape[:2]:
        height, width = content.shape[:2]
        problems.add(f"not of {shape[1]}x{shape[0]} px", f"{path.name} is {width}x{height}")
    elif content.dtype != np.uint8 or content.shape[2:] != (3,):
        problems.add("not 8-bit RGB", path.name)
    else:
        return np.asarray(cv2.cvtColor(content, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return np.zeros(shape, np.uint8)
