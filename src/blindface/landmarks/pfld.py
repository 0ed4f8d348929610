"""PFLD (Guo et al. 2019) through onnxruntime: 68 points from a 112x112 crop of the face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blindface.base.errors import ExternalFileError
from blindface.base.images import Image
from blindface.base.threads import available_workers
from blindface.landmarks.geometry import Points, from_crops, square_crops

CROP = 112


def open_session(path: Path, workers: int | None = None, purpose: str = "the network") -> Any:
    """An onnxruntime session on the CPU with so many threads. Errors: ExternalFileError if the file cannot be read."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = workers or available_workers()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise ExternalFileError(f"{path} cannot be read as {purpose}: delete it and fetch the weights again") from error


class PfldBackend:
    """68 points from the face's box; `margin` is the room around it, in shares of its longer side."""

    own_half = False

    def __init__(self, path: Path, margin: float, batch_size: int = 32, workers: int | None = None) -> None:
        self.margin, self.batch_size = margin, batch_size
        self._session = open_session(path, workers, "the PFLD landmark network")
        self._input = self._session.get_inputs()[0].name

    def __call__(self, images: Image, faces: NDArray[Any]) -> Points:
        """(N, H, W, 3) uint8 pictures, (N, 15) faces of the detector -> points (N, 68, 2) in pixels of the pictures."""
        crops, corners, factors = square_crops(images, faces[:, :4], self.margin, CROP)
        shares = [np.empty((0, 68, 2), np.float32)]
        for first in range(0, len(crops), self.batch_size):
            batch = crops[first : first + self.batch_size].transpose(0, 3, 1, 2).astype(np.float32) / 255
            shares.append(self._session.run(None, {self._input: batch})[0].reshape(-1, 68, 2))
        # the network gives shares of the crop's side: its outer edges are 0 and 1
        return from_crops(np.concatenate(shares) * CROP - 0.5, corners, factors)
