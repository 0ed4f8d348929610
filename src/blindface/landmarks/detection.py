"""Where the face is: detectors, and which of several faces is meant.

A detector takes a stack of pictures (N, H, W, 3) uint8 RGB and returns for each its faces: float32 (F, 15), F = 0
where there is none. In pixels of the picture: box x0, y0, x1, y1; the score in [0, 1]; then x and y of eyes, tip of the
nose and corners of the mouth, in each pair first the one further left, or NaN from a detector that does not see them.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.base.errors import ExternalFileError
from blindface.base.images import Image
from blindface.base.threads import available_workers, opencv_single_threaded

Faces = NDArray[np.float32]
FIELDS = 15
Detector = Callable[[Image], list[Faces]]

YUNET_ENLARGEMENT = 2
"""Enlarged twice, pictures with faces of 12 to 16 px are not missed either; LFW's need none (docs/landmarks.md)."""
S3FD_ENLARGEMENT = 1
"""The paper runs the detector on the 128 px target as it is."""
OVERLAP = 0.3
"""Two boxes that share more than this (intersection over union) are one face."""


def choose_face(faces: Faces, width: int, height: int) -> int | None:
    """The place of the face that the picture is about, None where there is no face.

    It is the one nearest the centre of the picture, in units of the face's own size: a large face a little off the
    centre wins over a small one in the background behind it. A doubtful face is put further away by 1 - score.
    """
    if len(faces) == 0:
        return None
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    distance = np.linalg.norm((faces[:, :2] + faces[:, 2:4]) / 2 - centre, axis=1)
    side = (faces[:, 2:4] - faces[:, :2]).max(axis=1).clip(1.0)
    return int(np.argmin(distance / side + (1 - faces[:, 4])))


def choose_faces(found: Sequence[Faces], width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The chosen face of each picture (N, 15), rows of NaN where there is none, and the numbers of faces (N,)."""
    chosen = np.full((len(found), FIELDS), np.nan, np.float32)
    for place, faces in enumerate(found):
        best = choose_face(faces, width, height)
        if best is not None:
            chosen[place] = faces[best]
    return chosen, np.array([len(faces) for faces in found], np.int32)


def make_faces(
    boxes: NDArray[Any], scores: NDArray[Any], points: NDArray[Any] | None = None, enlargement: float = 1
) -> Faces:
    """Faces from boxes (F, 4), scores (F,) and points (F, 10) of an enlarged picture, whose outer edges are at 0."""
    faces = np.full((len(boxes), FIELDS), np.nan, np.float32)
    faces[:, :4] = boxes / enlargement - 0.5
    faces[:, 4] = scores
    if points is not None:
        faces[:, 5:] = points / enlargement - 0.5
    return faces


def scale_faces(faces: Faces, factor: float) -> Faces:
    """Faces of a picture after it was resized by `factor`."""
    scaled = ((faces + 0.5) * factor - 0.5).astype(np.float32)
    scaled[:, 4] = faces[:, 4]
    return scaled


class WholePicture:
    """No detector: the whole picture is the face. For pictures that are cropped to the face already."""

    def __call__(self, images: Image) -> list[Faces]:
        """One face per picture, score 1."""
        height, width = images.shape[1:3]
        return [make_faces(np.array([[0, 0, width, height]]), np.ones(1)) for _ in images]


class YuNet:
    """YuNet (Wu et al. 2023) through OpenCV, on `workers` threads; OpenCV releases the interpreter while it works."""

    def __init__(
        self, path: Path, score: float = 0.5, enlargement: int = YUNET_ENLARGEMENT, workers: int | None = None
    ) -> None:
        self.path, self.score, self.enlargement = Path(path), score, enlargement
        self.workers = workers or available_workers()
        # A network holds buffers and the input size, so each thread borrows one of its own.
        self._networks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.workers):
            self._networks.put(self._load())

    def _load(self) -> Any:
        log = cv2.utils.logging
        level = log.getLogLevel()
        log.setLogLevel(log.LOG_LEVEL_ERROR)  # OpenCV 5 warns that its new engine has no choice of target
        try:
            # every candidate above the score is kept: 5000 is OpenCV's default limit before overlaps are removed
            return cv2.FaceDetectorYN.create(str(self.path), "", (128, 128), self.score, OVERLAP, 5000)
        except cv2.error as error:
            raise ExternalFileError(
                f"{self.path} cannot be read as the YuNet face detector: delete it and fetch the weights again"
            ) from error
        finally:
            log.setLogLevel(level)

    def __call__(self, images: Image) -> list[Faces]:
        """Faces of each picture; the order of the result is that of the pictures, whatever the threads do."""
        with opencv_single_threaded(), ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(self._detect, images))

    def _detect(self, image: Image) -> Faces:
        height, width = (side * self.enlargement for side in image.shape[:2])
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if self.enlargement != 1:
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
        network = self._networks.get()
        try:
            network.setInputSize((width, height))
            _, rows = network.detect(picture)
        finally:
            self._networks.put(network)
        if rows is None:
            return np.empty((0, FIELDS), np.float32)
        corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
        return make_faces(corners, rows[:, 14], rows[:, 4:14], self.enlargement)


class S3FD:
    """S3FD (Zhang et al. 2017), the detector of face-alignment, in batches on the given torch device."""

    def __init__(
        self,
        path: Path,
        score: float = 0.5,
        device: str = "cpu",
        batch_size: int = 32,
        enlargement: int = S3FD_ENLARGEMENT,
    ) -> None:
        from face_alignment.detection.sfd import FaceDetector

        self.batch_size, self.enlargement, self.device = batch_size, enlargement, device
        try:
            self._network = FaceDetector(device, path_to_detector=str(path), filter_threshold=score)
        except Exception as error:
            raise ExternalFileError(
                f"{path} cannot be read as the S3FD face detector: delete it and fetch the weights again"
            ) from error

    def __call__(self, images: Image) -> list[Faces]:
        """Faces of each picture."""
        found: list[Faces] = []
        for first in range(0, len(images), self.batch_size):
            found += self._detect(images[first : first + self.batch_size])
        return found

    def _detect(self, images: Image) -> list[Faces]:
        import torch

        height, width = (side * self.enlargement for side in images.shape[1:3])
        if self.enlargement != 1:
            images = np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) for image in images])
        batch = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        found = []
        for boxes in self._network.detect_from_batch(batch):
            rows = np.asarray(boxes, np.float32).reshape(-1, 5)
            found.append(make_faces(rows[:, :4], rows[:, 4], enlargement=self.enlargement))
        return found
