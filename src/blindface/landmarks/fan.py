"""2DFAN-4 (Bulat & Tzimiropoulos 2017) through face-alignment: the paper's landmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from blindface.base.errors import ExternalFileError
from blindface.base.images import Image, to_unit
from blindface.landmarks.geometry import MIRRORED, Points, from_crops, square_crops
from blindface.landmarks.heatmaps import peaks

CROP = 256
HEATMAP = 64
RISE = 0.12
"""face-alignment moves the centre of the crop up by this share of the box's height."""
SIDE = {"s3fd": 200 / 195, "yunet": 200 / 165, "none": 0.5}
"""Side of the crop over the box's width plus height, for each detector's kind of box; from face-alignment, where the
side is 200 * (width + height) / reference_scale. Without a detector the crop is the whole picture."""


def load_network(path: Path, device: str) -> torch.nn.Module:
    """The network as face-alignment builds it, with the weights of a file whose hash was checked.

    face-alignment 1.5.0 has no argument for the file: it asks `load_file_from_url` for the path of its copy in torch's
    cache, or downloads it unchecked. That one function is answered with our path while the network is made.
    Errors: ExternalFileError if the file is not 2DFAN-4.
    """
    import face_alignment

    def local_file(url: str, *rest: Any, **options: Any) -> str:
        if "2DFAN4" not in url:
            raise ValueError(f"no file is known for {url}")
        return str(path)

    try:
        # the 'folder' detector has no weights: the boxes come from us
        with mock.patch("face_alignment.api.load_file_from_url", local_file):
            aligner = face_alignment.FaceAlignment(
                face_alignment.LandmarksType.TWO_D, device=device, face_detector="folder", compile=False
            )
    except Exception as error:
        raise ExternalFileError(
            f"{path} does not hold the weights of 2DFAN-4: delete it and fetch the weights again"
        ) from error
    network: torch.nn.Module = aligner.face_alignment_net
    return network


class FanBackend:
    """68 points from the face's box, with face-alignment's crop and mirrored second pass.

    face-alignment's own call takes one picture at a time and rounds the points down to whole pixels, which are large
    on a 128 px target. Here whole batches go through its network, and the points keep their fractions.
    """

    own_half = True

    def __init__(self, path: Path, detector: str, device: str = "cpu", batch_size: int = 32) -> None:
        self.detector, self.device, self.batch_size = detector, device, batch_size
        self._network = load_network(path, device)

    def __call__(self, images: Image, faces: NDArray[Any]) -> Points:
        """(N, H, W, 3) uint8 pictures, (N, 15) faces of the detector -> points (N, 68, 2) in pixels of the pictures."""
        points = [np.empty((0, 68, 2), np.float32)]
        for first in range(0, len(images), self.batch_size):
            part = slice(first, first + self.batch_size)
            crops, corners, factors = square_crops(images[part], self._squares(faces[part, :4]), 0.0, CROP)
            heatmaps = self._heatmaps(to_unit(torch.from_numpy(crops).to(self.device)))
            inside = (peaks(heatmaps)[0] + 0.5) * (CROP / HEATMAP) - 0.5
            points.append(from_crops(inside, corners, factors))
        return np.concatenate(points)

    def _squares(self, boxes: NDArray[Any]) -> NDArray[np.float64]:
        boxes = np.asarray(boxes, np.float64)
        sizes = boxes[:, 2:] - boxes[:, :2]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        if self.detector != "none":
            centres[:, 1] -= RISE * sizes[:, 1]
        half = SIDE[self.detector] * sizes.sum(axis=1, keepdims=True) / 2
        return np.concatenate([centres - half, centres + half], axis=1)

    @torch.inference_mode()
    def _heatmaps(self, crops: torch.Tensor) -> torch.Tensor:
        straight, mirrored = (self._last(batch) for batch in (crops, crops.flip(3)))
        return straight + mirrored[:, list(MIRRORED)].flip(3)

    def _last(self, crops: torch.Tensor) -> torch.Tensor:
        heatmaps = self._network(crops)
        result: torch.Tensor = heatmaps[-1] if isinstance(heatmaps, list | tuple) else heatmaps
        return result
