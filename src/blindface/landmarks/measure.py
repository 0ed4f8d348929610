"""How good landmarks are, against points that somebody else has found or that are known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blindface.base.errors import InputError
from blindface.base.image_table import read_table
from blindface.base.images import SIZE
from blindface.landmarks.exact import read_exact
from blindface.landmarks.geometry import five_points, photograph_to_target, scale_points
from blindface.landmarks.table import read_landmarks

COMPARED = {0: "left eye", 1: "right eye", 3: "left mouth corner", 4: "right mouth corner"}
"""Of the five points; left and right as the viewer sees them. The tip of the nose is not compared."""
ANOTHER = 0.5
"""Points further off than this, in inter-ocular distances, most likely belong to another face, or are lost."""
REFERENCE_SIDE = 250.0
"""Side of the photographs that the list of five points speaks of."""


def read_five_points(path: Path) -> dict[str, NDArray[np.float64]]:
    """The list `<id>.jpg` and five times x, y, by tabs (SphereFace's for LFW): by id (5, 2), in 250x250 pixels."""
    points = {}
    try:
        for line in Path(path).read_text().splitlines():
            name, *values = line.split("\t")
            points[name.rpartition(".")[0]] = np.array(values, np.float64).reshape(5, 2)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: give LFW's list of five points, see docs/landmarks.md") from error
    except ValueError as error:
        raise InputError(f"{path} is no list of five points per photograph ({error}): see docs/landmarks.md") from error
    return points


def _targets(targets: Path, ids: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The crop (N, 3) and the photograph's width (N, 1, 1) of these targets, in their order."""
    frame = read_table(targets).set_index("id").loc[ids]
    crop = frame[["crop_x", "crop_y", "crop_size"]].to_numpy(np.float64)
    return crop, frame["source_width"].to_numpy(np.float64)[:, None, None]


def compare_five(landmarks: Path, targets: Path, reference: Path) -> dict[str, Any]:
    """Coverage, and distances of eye centres and mouth corners to a list of five points, in inter-ocular distances.

    Returns: photographs, coverage (share with landmarks), several (share with several faces), compared (photographs in
    the list and found), median and ninetieth percentile over all compared points, median per point, offset per point
    (median x and y), near (share of photographs whose mean distance is under 0.1), another (share over 0.5).
    """
    ids, ours = read_landmarks(landmarks)
    known = read_five_points(reference)
    rows = [row for row, name in enumerate(ids) if ours.found[row] and name in known]
    if not rows:
        raise InputError(f"{reference} and {landmarks} have no photograph in common: is it LFW?")
    names = [ids[row] for row in rows]
    crop, widths = _targets(targets, names)
    theirs = scale_points(np.stack([known[name] for name in names]), widths / REFERENCE_SIDE)
    theirs = photograph_to_target(theirs, crop, SIZE)
    counts = {
        "photographs": len(ids),
        "coverage": float(ours.found.mean()),
        "several": float((ours.faces > 1).mean()),
        "compared": len(rows),
    }
    return counts | five_point_errors(five_points(ours.points_128[rows]), theirs)


def five_point_errors(ours: NDArray[Any], theirs: NDArray[Any]) -> dict[str, Any]:
    """The distances between two sets of five points (N, 5, 2), in their inter-ocular distances; see compare_five."""
    apart = np.linalg.norm(theirs[:, 0] - theirs[:, 1], axis=1).clip(1e-6)[:, None, None]
    offsets = ((ours - theirs) / apart)[:, list(COMPARED)]
    distances = np.linalg.norm(offsets, axis=2)
    return {
        "median": float(np.median(distances)),
        "percentile_90": float(np.percentile(distances, 90)),
        "per_point": dict(zip(COMPARED.values(), np.median(distances, axis=0).tolist(), strict=True)),
        "offset": dict(zip(COMPARED.values(), np.median(offsets, axis=0).tolist(), strict=True)),
        "near": float((distances.mean(axis=1) < 0.1).mean()),
        "another": float((distances.mean(axis=1) > ANOTHER).mean()),
    }


def compare_exact(landmarks: Path, targets: Path, archive: Path) -> dict[str, Any]:
    """Coverage and distances to the exact points of the embedded set, over all 68, in inter-ocular distances.

    The inter-ocular distance is that of the exact eye centres. Returns: photographs, coverage, several, compared,
    median and ninetieth percentile over all points, inner_median (without the outline of the jaw), failed (share of
    photographs whose mean distance is over 0.1, the usual bound of a failure).
    """
    ids, ours = read_landmarks(landmarks)
    exact = read_exact(archive)
    rows = [row for row, name in enumerate(ids) if ours.found[row] and name in exact]
    if not rows:
        raise InputError(f"{archive} and {landmarks} have no photograph in common: make the landmarks again")
    crop, _ = _targets(targets, [ids[row] for row in rows])
    theirs = photograph_to_target(np.stack([exact[ids[row]] for row in rows]), crop, SIZE)
    eyes = five_points(theirs)[:, :2]
    apart = np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1)[:, None]
    distances = np.linalg.norm(ours.points_128[rows] - theirs, axis=2) / apart
    return {
        "photographs": len(ids),
        "coverage": float(ours.found.mean()),
        "several": float((ours.faces > 1).mean()),
        "compared": len(rows),
        "median": float(np.median(distances)),
        "percentile_90": float(np.percentile(distances, 90)),
        "inner_median": float(np.median(distances[:, 17:])),
        "failed": float((distances.mean(axis=1) > 0.1).mean()),
    }


def describe(result: Mapping[str, Any]) -> str:
    """The result as lines `name  value` for a person."""
    lines = []
    for name, value in result.items():
        if isinstance(value, Mapping):
            lines += [f"{name}, {part}: {np.round(number, 4)}" for part, number in value.items()]
        else:
            lines.append(f"{name}: {round(value, 4)}")
    return "\n".join(lines)
