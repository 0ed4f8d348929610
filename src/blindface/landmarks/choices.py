"""From the names in params.yaml to detectors and backends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blindface.landmarks.detection import S3FD, Detector, WholePicture, YuNet

WEIGHTS = {"fan": "fan2d4", "compressed_fan": "compressed_fan", "pfld": "pfld", "s3fd": "s3fd", "yunet": "yunet"}
"""The registry's name of the weight file that each backend and detector needs; what is not named needs none."""


def make_detector(
    name: str, weights: Path | None, score: float, device: str = "cpu", batch_size: int = 32, workers: int | None = None
) -> Detector:
    """The detector `yunet`, `s3fd` or `none`; `score` is the least score of a face, `weights` its checked file."""
    if name == "none":
        return WholePicture()
    assert weights is not None, f"detector {name} needs its weights"
    return YuNet(weights, score, workers=workers) if name == "yunet" else S3FD(weights, score, device, batch_size)


def make_backend(
    name: str,
    weights: Path,
    detector: str,
    margin: float,
    device: str = "cpu",
    batch_size: int = 32,
    workers: int | None = None,
) -> Any:
    """The backend `fan`, `compressed_fan` or `pfld` behind that detector; `fan` has margins of its own.

    workers: threads of PFLD's runtime; those of torch are the process's, see `run_landmarks`. torch and face-alignment
    are imported only where they are needed.
    """
    if name == "pfld":
        from blindface.landmarks.pfld import PfldBackend

        return PfldBackend(weights, margin, batch_size, workers)
    if name == "fan":
        from blindface.landmarks.fan import FanBackend

        return FanBackend(weights, detector, device, batch_size)
    from blindface.landmarks.compressed_fan import CompressedFanBackend

    return CompressedFanBackend(weights, margin, device, batch_size)
