"""The stage: landmarks of all targets, in parts that a stopped run finds again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blindface.base.errors import InputError
from blindface.base.image_table import count_rows, iterate_chosen, iterate_images, read_table
from blindface.base.images import SIZE, Image, resize
from blindface.base.progress import track
from blindface.base.threads import ahead, opencv_single_threaded
from blindface.landmarks.detection import Detector, Faces, choose_faces, scale_faces
from blindface.landmarks.exact import read_exact
from blindface.landmarks.geometry import Points, enclosing_boxes, photograph_to_target, scale_points
from blindface.landmarks.pose import head_poses
from blindface.landmarks.table import HALF, Landmarks, within_frame, write_landmarks

PART = 64
"""Targets per part: what a stop can cost, a second of the small backends and a minute of 2DFAN-4 on a CPU."""


class Backend(Protocol):
    """Finds 68 points in each picture, given its face."""

    own_half: bool
    """Whether the 64 px target gets points of its own (the paper's way) instead of the scaled ones."""

    def __call__(self, images: Image, faces: NDArray[Any]) -> Points:
        """(N, H, W, 3) uint8 pictures, (N, 15) faces as detectors give them -> points (N, 68, 2) in their pixels."""


def locate(images: Image, detected: Sequence[Faces], backend: Backend) -> Landmarks:
    """Landmarks of targets (N, 128, 128, 3) uint8. Works with any number of faces in each, none included."""
    chosen, faces = choose_faces(detected, SIZE, SIZE)
    points = np.full((len(images), 68, 2), np.nan, np.float32)
    seen = np.flatnonzero(faces > 0)
    if len(seen):
        points[seen] = backend(images[seen], chosen[seen])
    points, found = within_frame(points, faces > 0)
    kept = np.flatnonzero(found)
    half = scale_points(points, HALF / SIZE).astype(np.float32)
    if backend.own_half and len(kept):
        reduced = np.stack([resize(image, HALF, "area") for image in images[kept]])
        own = backend(reduced, scale_faces(chosen[kept], HALF / SIZE))
        half[kept] = np.clip(own, 0, HALF - 1)
    return _assemble(points, half, found, chosen[:, :4], chosen[:, 4], faces)


def _assemble(
    points: NDArray[np.float32],
    half: NDArray[np.float32],
    found: NDArray[np.bool_],
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    faces: NDArray[np.int32],
) -> Landmarks:
    poses = head_poses(points, SIZE)
    return Landmarks(
        found=found,
        points_128=points,
        points_64=half,
        box=np.where(found[:, None], boxes, np.nan).astype(np.float32),
        score=np.where(found, scores, 0).astype(np.float32),
        faces=faces,
        yaw=poses[:, 0],
        pitch=poses[:, 1],
    )


def detect_landmarks(
    targets: Path,
    output: Path,
    detector: Detector,
    backend: Backend,
    settings: Mapping[str, Any],
    ids: Sequence[str] | None = None,
    part: int = PART,
) -> tuple[int, int]:
    """Write the landmarks of all targets, or of those with these ids; returns how many have a face and how many none.

    settings: whatever the result depends on besides the targets (names, values, hashes of weights). It is stored in
    the file, and tells whether a part left by a stopped run still holds. Parts lie beside the output until it is whole.
    While the backend works on one part, the next is read and its faces are detected.
    """
    folder = Path(output).with_name(f".{Path(output).stem}.parts")
    total = count_rows(targets) if ids is None else len(set(ids))
    supply = iterate_images(targets, "target", part) if ids is None else iterate_chosen(targets, "target", ids, part)
    found = 0

    def parts() -> Iterator[tuple[list[str], Landmarks]]:
        nonlocal found
        coming = ahead(_prepared(supply, folder, settings, detector))
        for names, images, path, ready in track(coming, "landmarks", -(-total // part)):
            landmarks = ready if isinstance(ready, Landmarks) else locate(images, ready, backend)
            if landmarks is not ready:
                _remember(path, landmarks)
            found += int(landmarks.found.sum())
            yield names, landmarks

    with opencv_single_threaded():  # set here, before a thread begins: OpenCV must not be at work while it is changed
        written = write_landmarks(output, parts(), {"settings": json.dumps(settings, sort_keys=True)})
    shutil.rmtree(folder, ignore_errors=True)
    return found, written - found


def _prepared(
    supply: Iterable[tuple[list[str], Image]], folder: Path, settings: Mapping[str, Any], detector: Detector
) -> Iterator[tuple[list[str], Image, Path, Landmarks | list[Faces]]]:
    """Each part with the place of its file, and its landmarks from a stopped run or else its detected faces."""
    for names, images in supply:
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(images).tobytes())
        path = folder / f"{digest.hexdigest()}.npz"
        yield names, images, path, _recall(path) or detector(images)


def _recall(path: Path) -> Landmarks | None:
    """A part of a stopped run; None if it is not there or was cut short."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Landmarks(**stored)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _remember(path: Path, landmarks: Landmarks) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.partial.npz")
    np.savez(temporary, **landmarks.arrays())  # type: ignore[arg-type]
    temporary.replace(path)


def exact_landmarks(targets: Path, archive: Path, output: Path, ids: Sequence[str] | None = None) -> tuple[int, int]:
    """Write the landmarks that the embedded set was drawn from; returns as `detect_landmarks`.

    Reading them takes a moment, so nothing is kept of a stopped run. Errors: InputError if a target has none.
    """
    frame = read_table(targets)
    if ids is not None:
        frame = frame[frame["id"].isin(set(ids))].reset_index(drop=True)
    exact = read_exact(archive)
    missing = [name for name in frame["id"] if name not in exact]
    if missing:
        raise InputError(f"{archive} has no exact landmarks of {missing[0]}: make the targets from this archive again")
    photograph = np.array([exact[name] for name in frame["id"]], np.float32).reshape(-1, 68, 2)
    crop = frame[["crop_x", "crop_y", "crop_size"]].to_numpy(np.float64)
    points = photograph_to_target(photograph, crop, SIZE)
    boxes, ones = enclosing_boxes(points), np.ones(len(frame), np.float32)
    points, found = within_frame(points, np.ones(len(frame), bool))
    half = scale_points(points, HALF / SIZE).astype(np.float32)
    landmarks = _assemble(points, half, found, boxes, ones, np.ones(len(frame), np.int32))
    write_landmarks(output, [(frame["id"].tolist(), landmarks)], {"settings": json.dumps({"backend": "exact"})})
    return int(found.sum()), int((~found).sum())
