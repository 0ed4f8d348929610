"""From names and weight files to the stage: the detector and the backend that the parameters ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blindface.base.device import choose_device
from blindface.base.threads import available_workers, torch_threads
from blindface.external.weights import Weights
from blindface.landmarks.choices import WEIGHTS, make_backend, make_detector
from blindface.landmarks.stage import detect_landmarks

MOST_WORKERS = 8
"""More threads than that mostly wait for each other on crops of 64 px."""


def run_landmarks(
    targets: Path,
    output: Path,
    weights: Weights,
    ids: Sequence[str] | None,
    workers: int | None,
    *,
    backend: str,
    detector: str,
    score: float,
    margin: float,
    batch_size: int,
    device: str,
) -> tuple[int, int]:
    """Write the table of landmarks; returns how many targets have a face and how many not.

    At most `workers` threads compute (default: the cores this process may use, 8 at most).
    Errors: ExternalFileError if a weight file is missing or broken, DeviceError, InputError.
    """
    workers = workers or min(available_workers(), MOST_WORKERS)
    place = str(choose_device(device))
    files = {name: weights.path(WEIGHTS[name]) for name in (backend, detector) if name in WEIGHTS}
    settings: dict[str, Any] = {"backend": backend, "detector": detector, "score": score, "margin": margin}
    settings |= {f"weights {name}": weights.entries[WEIGHTS[name]]["sha256"] for name in files}
    find_faces = make_detector(detector, files.get(detector), score, place, batch_size, workers)
    find_points = make_backend(backend, files[backend], detector, margin, place, batch_size, workers)
    with torch_threads(workers):
        return detect_landmarks(targets, output, find_faces, find_points, settings, ids)
