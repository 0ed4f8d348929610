"""Who a face is: MobileFaceNet's embedding, for the Frechet face distance and the similarity of identities.

MobileFaceNet (Chen et al. 2018, arXiv 1804.07573; foamliu's weights) sees a face of 112x112 pixels whose eyes, nose and
mouth stand at fixed places (ArcFace's template, Deng et al. 2019, arXiv 1801.07698) and answers with 128 numbers.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.base.errors import ExternalFileError
from blindface.base.images import Image
from blindface.landmarks.geometry import CENTRE_SIDE, TEMPLATE, five_points
from blindface.landmarks.geometry import TEMPLATE_SIDE as SIDE
from blindface.landmarks.pfld import open_session

if TYPE_CHECKING:
    import torch

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def similarity(source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64]:
    """The rotation, scale and shift (2, 3) that brings points (K, 2) nearest to others in the least squares (Umeyama).

    Points that all fall together give a scale of zero.
    """
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    a, b = (source - centre).astype(np.float64), (target - goal).astype(np.float64)
    spread = max(float((a * a).sum()), 1e-12)
    # in the plane the best rotation and scale are one complex number
    real = float((a * b).sum()) / spread
    imaginary = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    linear = np.array([[real, -imaginary], [imaginary, real]])
    return np.concatenate([linear, (goal - linear @ centre)[:, None]], axis=1)


def align(images: Image, points: NDArray[Any], found: NDArray[np.bool_]) -> Image:
    """Bring faces to the template: (N, H, W, 3) uint8, (N, 68, 2) in px, (N,) bool -> (N, 112, 112, 3) uint8.

    A picture without landmarks gives its centre. Beyond the border the border pixels are repeated.
    """
    side = images.shape[1]
    first = (side - 1) / 2 - CENTRE_SIDE / 2 + 0.5 * CENTRE_SIDE / SIDE
    middle = np.array([[SIDE / CENTRE_SIDE, 0, -first * SIDE / CENTRE_SIDE]] * 2)
    middle[1] = middle[1, [1, 0, 2]]
    aligned = np.empty((len(images), SIDE, SIDE, 3), np.uint8)
    for place, image in enumerate(images):
        usable = bool(found[place]) and bool(np.isfinite(points[place]).all())
        matrix = similarity(five_points(points[place][None])[0], TEMPLATE) if usable else middle
        aligned[place] = cv2.warpAffine(
            image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return aligned


class FaceEmbedder:
    """MobileFaceNet: through onnxruntime on the CPU, as a PyTorch module on a GPU; both agree to 1e-4.

    The file takes one face at a time, so on the CPU faces run side by side on `workers` threads (default: all cores);
    on a GPU whole stacks pass at once, in float32 without TF32.
    Errors: ExternalFileError if the file is not such a network.
    """

    def __init__(self, path: Path, workers: int | None = None, device: torch.device | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._session = open_session(path, 1, "the MobileFaceNet face embedding")
        self._input = self._session.get_inputs()[0].name
        shape = self._session.get_inputs()[0].shape
        if list(shape[1:]) != [3, SIDE, SIDE]:
            raise ExternalFileError(f"{path} takes {shape}, not faces of 3x{SIDE}x{SIDE}: fetch the weights again")
        self._network = None
        if device is not None and device.type != "cpu":
            from blindface.base.onnx_graph import OnnxNetwork

            self._network = OnnxNetwork(path).to(device)
            self._device = device

    def embed(self, images: Image, points_128: NDArray[Any], found: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Embeddings of length one (N, 128) float32.

        images: (N, 128, 128, 3) uint8 RGB; points_128: (N, 68, 2) landmarks of the targets; found: (N,) bool.
        A restored image is aligned by its target's landmarks, so that misplaced features count against it.
        """
        faces = align(images, points_128, found)
        raw = np.empty((0, 128), np.float32)
        if len(faces) and self._network is not None:
            raw = self._embed_stack(faces)
        elif len(faces):
            with ThreadPoolExecutor(self.workers) as pool:
                raw = np.stack(list(pool.map(self._embed, faces)))
        return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True).clip(1e-12), np.float32)

    def _embed(self, face: Image) -> NDArray[np.float32]:
        batch = _normalised(face[None])
        return np.asarray(self._session.run(None, {self._input: np.ascontiguousarray(batch)})[0][0], np.float32)

    def _embed_stack(self, faces: Image) -> NDArray[np.float32]:
        import torch

        batch = torch.from_numpy(faces).to(self._device).permute(0, 3, 1, 2).float() / 255
        mean, deviation = (torch.from_numpy(part).to(self._device)[:, None, None] for part in (MEAN, DEVIATION))
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            assert self._network is not None
            embedded = self._network((batch - mean) / deviation)
        return np.asarray(embedded.cpu().numpy(), np.float32)


def _normalised(faces: Image) -> NDArray[np.float32]:
    scaled = (faces.astype(np.float32) / 255 - MEAN) / DEVIATION
    return np.asarray(scaled.transpose(0, 3, 1, 2), np.float32)
