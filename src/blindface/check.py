"""The stage `check`: the gate in front of training. It reads what was made and fails with the reason.

The output is a JSON file with the counts that a report shows:

    photographs, skipped, people      numbers of targets, of photographs left out when they were made, of people
    parts                             photographs per part of the split
    pairs                             per objective and part: their number
    faces                             photographs with landmarks
    hashes                            images whose bytes were recomputed and compared
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pandas as pd

from blindface.base.errors import InputError
from blindface.base.files import write_json
from blindface.base.image_table import image_shape, read_images, read_metadata, read_table
from blindface.base.images import SIZE, Image
from blindface.base.progress import track
from blindface.base.randomness import derive_seed
from blindface.degradation import Degrader
from blindface.landmarks.table import HALF, read_landmarks
from blindface.params.data import OBJECTIVES, PARTS, DegradationParams, Objective, PairsParams, Part, SplitParams
from blindface.photographs.archive import is_harmless, read_skipped
from blindface.split import read_split, split_photographs

SAMPLE = 16
"""Images per file whose bytes are made anew and compared."""
TARGET_SHAPE = (128, 128, 3)


def check_data(
    targets: Path,
    split: Path,
    pairs: Sequence[Path],
    landmarks: Path | None,
    output: Path,
    split_params: SplitParams,
    pairs_params: PairsParams,
    skipped: Path | None = None,
) -> dict[str, Any]:
    """Check the made data and write the counts; returns them.

    Errors: InputError naming the file, what is wrong and how to mend it.
    """
    table = check_targets(targets)
    parts = check_split(split, table, split_params)
    counts: dict[str, dict[str, int]] = {objective: {} for objective in OBJECTIVES}
    hashes = min(SAMPLE, len(table))
    for path in track(pairs, "check pairs"):
        objective, part, number = check_pairs(path, targets, table, parts, pairs_params)
        counts[objective][part] = number
        hashes += min(SAMPLE, number)
    result: dict[str, Any] = {
        "photographs": len(table),
        "skipped": None if skipped is None else _count_skipped(skipped),
        "people": int(table["person"].nunique()),
        "split_by": split_params.by,
        "parts": {part: sum(value == part for value in parts.values()) for part in PARTS},
        "pairs": {
            objective: {part: number[part] for part in PARTS if part in number}
            for objective, number in counts.items()
            if number
        },
        **({} if landmarks is None else check_landmarks(landmarks, sorted(parts))),
        "hashes": hashes,
    }
    write_json(output, result)
    return result


def check_targets(path: Path) -> pd.DataFrame:
    """Sorted unique ids, the size of the images, and a sample of their hashes; returns the plain columns."""
    table = read_table(path)
    ids = table["id"].tolist()
    remedy = "make the targets again"
    _sorted_unique(path, ids, remedy)
    if image_shape(path, "target") != TARGET_SHAPE:
        _fail(path, f"its images are {image_shape(path, 'target')}, not {TARGET_SHAPE}", remedy)
    names = _sample(ids, str(path.name))
    recorded = dict(zip(ids, table["sha256"], strict=True))
    for name, image in zip(names, read_images(path, "target", names), strict=True):
        if _sha(image) != recorded[name]:
            _fail(path, f"the bytes of {name} do not have their recorded SHA-256", remedy)
    return table


def check_split(path: Path, table: pd.DataFrame, params: SplitParams) -> dict[str, Part]:
    """No photograph twice or without a target, no person in two parts where people are divided.

    By image and by identity the parts are those that the parameters make of these photographs. Returns the parts.
    """
    parts = read_split(path)
    remedy = "make the split again"
    people = dict(zip(table["id"], table["person"], strict=True))
    strangers = sorted(set(parts) - set(people))
    if strangers:
        _fail(path, f"{len(strangers)} photographs, first {strangers[0]}, have no target", remedy)
    if not {"train", "test"} <= set(parts.values()):
        _fail(path, "its training or its test part is empty", remedy)
    if params.by != "image":
        home: dict[str, Part] = {}
        for name, part in parts.items():
            if home.setdefault(people[name], part) != part:
                _fail(path, f"{people[name]} stands in two parts although the split is by {params.by}", remedy)
    if params.by != "official" and parts != split_photographs(people, params):
        _fail(path, "it is not the one that these parameters make of these photographs", remedy)
    return parts


def check_pairs(
    path: Path, targets: Path, table: pd.DataFrame, parts: Mapping[str, Part], params: PairsParams
) -> tuple[Objective, Part, int]:
    """The ids of the part, the size, the ranges of the draws, and a sample of blind images made anew.

    Returns objective, part and number of pairs.
    """
    metadata, rows = read_metadata(path), read_table(path)
    remedy = "delete it and make the pairs again"
    objective = next((name for name in OBJECTIVES if name == metadata.get("objective")), None)
    part = next((name for name in PARTS if name == metadata.get("part")), None)
    if objective is None or part is None:
        _fail(path, "it does not say of which objective and part its pairs are", remedy)
    ids = rows["id"].tolist()
    _sorted_unique(path, ids, remedy)
    wanted = sorted(name for name, value in parts.items() if value == part)
    if ids != wanted:
        _fail(path, f"it holds {len(ids)} photographs that are not the {len(wanted)} of the {part} part", remedy)
    ranges = params.of(objective)
    if image_shape(path, "blind") != (ranges.u, ranges.u, 3):
        _fail(path, f"its images are {image_shape(path, 'blind')}, but {objective} has u = {ranges.u}", remedy)
    _check_ranges(path, rows, ranges, remedy)
    recorded = dict(zip(table["id"], table["sha256"], strict=True))
    if [recorded[name] for name in ids] != rows["target_sha256"].tolist():
        _fail(path, "it was made from other targets", remedy)
    _check_bytes(path, targets, rows, Degrader(objective, params, 1), metadata, remedy)
    return objective, part, len(ids)


def _check_ranges(path: Path, rows: pd.DataFrame, ranges: DegradationParams, remedy: str) -> None:
    for name in ("k", "sigma", "s", "delta", "q"):
        low, high = getattr(ranges, name)
        outside = rows.loc[~rows[name].between(low, high), "id"]
        if len(outside):
            _fail(path, f"{name} of {outside.iloc[0]} lies outside [{low}, {high}]", remedy)


def _check_bytes(
    path: Path, targets: Path, rows: pd.DataFrame, degrader: Degrader, metadata: Mapping[str, str], remedy: str
) -> None:
    """A sample: the stored blind image has its recorded hash, and so has one made anew (under the same versions)."""
    names = _sample(rows["id"].tolist(), path.parent.name + path.name)
    rows = rows.set_index("id").loc[names]
    same = (metadata.get("opencv"), metadata.get("numpy")) == (cv2.__version__, np.__version__)
    images = zip(names, read_images(targets, "target", names), read_images(path, "blind", names), strict=True)
    for name, target, stored in images:
        if _sha(stored) != rows.at[name, "blind_sha256"]:
            _fail(path, f"the bytes of {name} do not have their recorded SHA-256", remedy)
        if same and _sha(degrader.one(target, name)[1]) != rows.at[name, "blind_sha256"]:
            _fail(path, f"{name} comes out differently when degraded again with these parameters", remedy)


def check_landmarks(path: Path, ids: Sequence[str]) -> dict[str, int]:
    """One row per target; where a face was found, its points are finite and inside the frame.

    Returns the number of faces found.
    """
    names, landmarks = read_landmarks(path)
    remedy = "make the landmarks again"
    if names != list(ids):
        _fail(path, f"its {len(names)} rows are not the {len(ids)} targets in their order", remedy)
    for points, side in ((landmarks.points_128, SIZE), (landmarks.points_64, HALF)):
        finite = np.isfinite(points).all(axis=(1, 2))
        inside = ((points >= -0.5) & (points <= side - 0.5)).all(axis=(1, 2))
        for good, reason in ((finite, "are not 68 finite points"), (inside, "lie outside the frame")):
            bad = np.flatnonzero(landmarks.found & ~good)
            if len(bad):
                _fail(path, f"the landmarks of {len(bad)} faces at {side} px, first {names[bad[0]]}, {reason}", remedy)
    return {"faces": int(landmarks.found.sum())}


def _sample(ids: Sequence[str], purpose: str) -> list[str]:
    return sorted(sorted(ids, key=lambda name: derive_seed(0, "check", purpose, name))[:SAMPLE])


def _sha(image: Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def _sorted_unique(path: Path, ids: Iterable[str], remedy: str) -> None:
    names = list(ids)
    if names != sorted(set(names)):
        _fail(path, "its ids are not sorted and unique", remedy)


def _count_skipped(path: Path) -> int:
    return sum(not is_harmless(reason) for _, reason in read_skipped(path))


def _fail(path: Path, reason: str, remedy: str) -> NoReturn:
    raise InputError(f"{path}: {reason}; {remedy}")
