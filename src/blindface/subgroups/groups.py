"""Which image belongs to which group: by landmarks, by labels, by the drawn strength of the degradation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blindface.landmarks.table import Landmarks
from blindface.params import SubgroupsParams
from blindface.subgroups.draws import DRAWS
from blindface.subgroups.kinds import (
    ALL,
    LABEL_KINDS,
    Kind,
    explained,
    faces_kind,
    mouth_kind,
    pose_kinds,
    strength_kind,
)


@dataclass(frozen=True)
class Grouping:
    """A kind and the group of each image: `labels` by image id, NA where there is no label; `order` of the groups.

    `objective`: only methods that saw this objective's blind images are grouped so; None: all.
    """

    kind: Kind
    labels: pd.Series
    order: tuple[str, ...]
    objective: str | None = None


def lip_gap(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far the mouth is open: (|p61-p67| + |p62-p66| + |p63-p65|) / 3 over the distance of the eyes' centres.

    points: (N, 68, 2), iBUG's order counted from 0; returns (N,), NaN for faces of NaN.
    """
    found = points.astype(np.float64)
    lips = found[:, 61:64] - found[:, [67, 66, 65]]
    eyes = np.linalg.norm(found[:, 36:42].mean(axis=1) - found[:, 42:48].mean(axis=1), axis=1)
    return np.asarray(np.linalg.norm(lips, axis=2).mean(axis=1) / np.where(eyes > 0, eyes, np.nan))


def everything(ids: Sequence[str]) -> Grouping:
    """One group of all images, to hold the others against."""
    return Grouping(ALL, pd.Series("all images", index=list(ids), dtype="string"), ("all images",))


def by_landmarks(
    ids: Sequence[str],
    landmarks: Landmarks,
    settings: Mapping[str, object],
    params: SubgroupsParams,
    drawn: pd.DataFrame | None = None,
) -> list[Grouping]:
    """Groups by the number of faces, by pose, and by the mouth; `drawn` (by id) holds exact values instead."""
    exact = settings.get("backend") == "exact"
    faces = faces_kind(None if exact else str(settings.get("detector", "unknown")))
    found = [_faces(faces, ids, landmarks.faces)]
    if drawn is not None:
        yaw, pitch = pose_kinds("exact: drawn so", "from level")
        values = drawn.reindex(ids)
        found += [_yaw(yaw, ids, values["yaw"], params), _pitch(pitch, ids, values["pitch"], params)]
        return [*found, Grouping(mouth_kind(None), values["mouth"], ("closed", "slightly open", "wide open"))]
    source = f"landmarks ({settings.get('backend', 'unknown')})"
    yaw, pitch = pose_kinds(source, "from the median of these images, since its zero depends on the backend")
    level = landmarks.pitch - np.nanmedian(landmarks.pitch) if np.isfinite(landmarks.pitch).any() else landmarks.pitch
    found += [_yaw(yaw, ids, landmarks.yaw, params), _pitch(pitch, ids, level, params)]
    return [*found, _mouth(mouth_kind(source), ids, lip_gap(landmarks.points_128), params)]


def _faces(kind: Kind, ids: Sequence[str], faces: NDArray[np.int32]) -> Grouping:
    order = ("no face found", "1 face", "2 faces", "3 or more faces")
    places = np.clip(faces, 0, 3).astype(int)
    return Grouping(kind, pd.Series([order[place] for place in places], index=list(ids), dtype="string"), order)


def _banded(
    ids: Sequence[str], values: NDArray[Any], bounds: Sequence[float] | NDArray[Any], names: Sequence[str]
) -> pd.Series:
    places = np.searchsorted(np.asarray(bounds, np.float64), values, side="right")
    labels = [names[place] if np.isfinite(value) else pd.NA for place, value in zip(places, values, strict=True)]
    return pd.Series(labels, index=list(ids), dtype="string")


def _yaw(kind: Kind, ids: Sequence[str], yaw: object, params: SubgroupsParams) -> Grouping:
    bounds = params.yaw
    between = [f"{low:g}–{high:g}°" for low, high in pairwise(bounds)]
    names = (f"below {bounds[0]:g}°", *between, f"{bounds[-1]:g}° and more")
    return Grouping(kind, _banded(ids, np.abs(np.asarray(yaw, np.float64)), bounds, names), names)


def _pitch(kind: Kind, ids: Sequence[str], pitch: object, params: SubgroupsParams) -> Grouping:
    names = (f"down, more than {params.pitch:g}°", "level", f"up, {params.pitch:g}° and more")
    return Grouping(kind, _banded(ids, np.asarray(pitch, np.float64), (-params.pitch, params.pitch), names), names)


def _mouth(kind: Kind, ids: Sequence[str], gap: NDArray[np.float64], params: SubgroupsParams) -> Grouping:
    bounds = params.mouth
    between = [f"gap {low:g}–{high:g}" for low, high in pairwise(bounds)]
    names = (f"closed, gap below {bounds[0]:g}", *between, f"open, gap from {bounds[-1]:g}")
    return Grouping(kind, _banded(ids, gap, bounds, names), names)


def by_labels(ids: Sequence[str], source: str, labels: pd.DataFrame) -> list[Grouping]:
    """Groups of each kind that the source has labels for, the largest group first; `labels` by id."""
    found = []
    here = labels.reindex(ids)
    for kind in LABEL_KINDS[source]:
        column = here["mouth" if kind.name == "mouth_label" else kind.name].astype("string")
        counts = column.value_counts()
        order = tuple(sorted(counts.index, key=lambda name: (-counts[name], name)))
        if not order:
            kind = explained(kind, "none of these images has such a label")
        found.append(Grouping(kind, column, order))
    return found


def by_strength(objective: str, draws: pd.DataFrame, bins: int) -> list[Grouping]:
    """Groups of equal width by each drawn parameter of one objective's blind images."""
    found = []
    for parameter, drawn in DRAWS.items():
        values = draws[parameter].to_numpy(np.float64)
        edges = _edges(values, bins)
        names = _ranges(edges, whole=bool(np.all(values == np.round(values))), largest=float(values.max()))
        labels = _banded(list(draws["id"]), values, edges[1:-1], names)
        found.append(Grouping(strength_kind(parameter, drawn.title, objective), labels, names, objective))
    return found


def _edges(values: NDArray[np.float64], bins: int) -> NDArray[Any]:
    """Edges of groups of equal width; of whole numbers each holds equally many, the last perhaps fewer."""
    low, high = float(values.min()), float(values.max())
    if np.all(values == np.round(values)):
        width = max(1, -(-int(high - low + 1) // bins))
        return low - 0.5 + float(width) * np.arange(-(-int(high - low + 1) // width) + 1)
    return np.linspace(low, high, bins + 1 if high > low else 2)


def _ranges(edges: NDArray[Any], whole: bool, largest: float) -> tuple[str, ...]:
    if not whole and len(edges) == 2 and edges[0] == edges[1]:
        return (f"{largest:g}",)
    if not whole:
        return tuple(f"{low:.2f}–{high:.2f}" for low, high in pairwise(edges))
    ends = [(int(low + 0.5), int(min(high - 0.5, largest))) for low, high in pairwise(edges)]
    return tuple(str(first) if first == last else f"{first}–{last}" for first, last in ends)
