"""The table of landmarks: one row per target, sorted by id.

| column | type | meaning |
|---|---|---|
| id | text | the target's id |
| found | bool | whether there is a face with landmarks; a face without gets no attention in training |
| points_128 | 136 float32 | x0, y0, x1, y1, ... in pixels of the 128 px target, centres at integers; NaN if not found |
| points_64 | 136 float32 | the same in pixels of the target reduced to 64 px |
| box | 4 float32 | x0, y0, x1, y1 of the detected face in pixels of the 128 px target; NaN if not found |
| score | float32 | the detector's score in [0, 1]; 0 if not found |
| faces | int32 | how many faces the detector saw |
| yaw, pitch | float32 | degrees, positive to the right of the picture and upwards; NaN if not found |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from blindface.base.errors import InputError
from blindface.base.image_table import ImageTableWriter, read_table
from blindface.base.images import SIZE

HALF = 64
COLUMNS: dict[str, pa.DataType] = {
    "id": pa.string(),
    "found": pa.bool_(),
    "points_128": pa.list_(pa.float32(), 136),
    "points_64": pa.list_(pa.float32(), 136),
    "box": pa.list_(pa.float32(), 4),
    "score": pa.float32(),
    "faces": pa.int32(),
    "yaw": pa.float32(),
    "pitch": pa.float32(),
}


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of N targets, as in the table."""

    found: NDArray[np.bool_]  # (N,)
    points_128: NDArray[np.float32]  # (N, 68, 2)
    points_64: NDArray[np.float32]  # (N, 68, 2)
    box: NDArray[np.float32]  # (N, 4)
    score: NDArray[np.float32]  # (N,)
    faces: NDArray[np.int32]  # (N,)
    yaw: NDArray[np.float32]  # (N,)
    pitch: NDArray[np.float32]  # (N,)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns by name, in the table's order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def within_frame(points: NDArray[Any], found: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Bring (N, 68, 2) points of 128 px targets inside the picture, and drop faces that are mostly outside it.

    Points beyond the border (a chin below the picture) are moved onto it. Where more than half of the points are
    beyond it, or one is not a number, there is no usable face: found becomes False and the points NaN.
    """
    outside = ((points < -0.5) | (points > SIZE - 0.5)).any(axis=2).mean(axis=1)
    found = found & np.isfinite(points).all(axis=(1, 2)) & (outside <= 0.5)
    inside = np.clip(points, 0, SIZE - 1)
    return np.where(found[:, None, None], inside, np.nan).astype(np.float32), found


def write_landmarks(path: Path, parts: Any, metadata: Mapping[str, str]) -> int:
    """Write (ids, Landmarks) parts, one row group each; returns the number of rows."""
    with ImageTableWriter(path, COLUMNS, metadata=metadata) as writer:
        for ids, part in parts:
            columns: dict[str, Any] = {"id": list(ids)}
            for name, values in part.arrays().items():
                columns[name] = values if values.ndim == 1 else list(values.reshape(len(values), -1))
            writer.append(columns, {})
        return writer.rows


def read_landmarks(path: Path, ids: Sequence[str] | None = None) -> tuple[list[str], Landmarks]:
    """The ids and landmarks of a table; with `ids`, of those targets in that order.

    Errors: InputError if the file is missing, is no table of landmarks, or lacks one of the ids.
    """
    frame = _rows(path, list(COLUMNS), ids)
    return frame["id"].tolist(), Landmarks(
        found=frame["found"].to_numpy(bool),
        points_128=_stacked(frame, "points_128", (68, 2)),
        points_64=_stacked(frame, "points_64", (68, 2)),
        box=_stacked(frame, "box", (4,)),
        score=frame["score"].to_numpy(np.float32),
        faces=frame["faces"].to_numpy(np.int32),
        yaw=frame["yaw"].to_numpy(np.float32),
        pitch=frame["pitch"].to_numpy(np.float32),
    )


@dataclass(frozen=True)
class FacePoints:
    """Where the faces of N targets are; points are zero where `found` is False."""

    found: NDArray[np.bool_]  # (N,)
    points_128: NDArray[np.float32]  # (N, 68, 2)
    points_64: NDArray[np.float32]  # (N, 68, 2)

    @classmethod
    def nowhere(cls, count: int) -> FacePoints:
        """So many targets without a face."""
        shape = (count, 68, 2)
        return cls(np.zeros(count, bool), np.zeros(shape, np.float32), np.zeros(shape, np.float32))


def read_points(path: Path, ids: Sequence[str]) -> FacePoints:
    """The points alone of the targets `ids`, in that order; a face counts as found where all of its points are finite.

    Errors: as `read_landmarks`.
    """
    frame = _rows(path, ["id", "found", "points_128", "points_64"], ids)
    points = [_stacked(frame, name, (68, 2)) for name in ("points_128", "points_64")]
    found = frame["found"].to_numpy(bool)
    for stack in points:
        found = found & np.isfinite(stack).all(axis=(1, 2))
    return FacePoints(found, *(np.where(found[:, None, None], stack, np.float32(0)) for stack in points))


def _rows(path: Path, columns: Sequence[str], ids: Sequence[str] | None) -> pd.DataFrame:
    """These columns, in file order or in that of `ids`."""
    frame = read_table(path)
    lacking = [name for name in columns if name not in frame]
    if lacking:
        raise InputError(f"{path} has no column '{lacking[0]}': make it with 'blindface landmarks'")
    frame = frame[list(columns)]
    if ids is None:
        return frame
    places = {name: place for place, name in enumerate(frame["id"])}
    missing = [name for name in ids if name not in places]
    if missing:
        raise InputError(
            f"{path} lacks the landmarks of {len(missing)} images, first {missing[0]}: "
            "make it again with 'blindface landmarks'"
        )
    return frame.iloc[[places[name] for name in ids]]


def _stacked(frame: pd.DataFrame, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.array(frame[name].tolist(), np.float32).reshape(len(frame), *shape)
