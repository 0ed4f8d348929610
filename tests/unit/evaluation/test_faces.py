"""Alignment of faces to the template, and the embedding."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from blindface.base.errors import ExternalFileError
from blindface.evaluation.faces import SIDE, TEMPLATE, FaceEmbedder, align, similarity

POINTS = np.array([[50.0, 52], [74, 55], [61, 66], [51, 79], [70, 81]])


def test_similarity_finds_a_known_rotation_scale_and_shift() -> None:
    angle, scale = 0.3, 1.7
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity(POINTS, POINTS @ linear.T + (5, -9))
    assert found[:, :2] == pytest.approx(linear)
    assert found[:, 2] == pytest.approx((5, -9))


def test_similarity_is_the_best_in_the_least_squares() -> None:
    matrix = similarity(POINTS, TEMPLATE)

    def loss(m: np.ndarray) -> float:
        return float(((POINTS @ m[:, :2].T + m[:, 2] - TEMPLATE) ** 2).sum())

    for change in (1e-3, -1e-3):
        turned = matrix @ np.array([[1, -change, 0], [change, 1, 0], [0, 0, 1]])
        grown = matrix * [[1 + change, 1 + change, 1]]
        assert loss(matrix) < min(loss(turned), loss(grown), loss(matrix + np.array([[0, 0, change]])))


def test_similarity_of_points_that_fall_together_is_finite() -> None:
    assert np.isfinite(similarity(np.full((5, 2), 3.0), TEMPLATE)).all()


def landmarks(five: np.ndarray) -> np.ndarray:
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[30], points[48], points[54] = five
    return points


def test_aligned_face_has_its_features_at_the_template_s_places() -> None:
    # points that a similarity brings onto the template exactly
    matrix = similarity(TEMPLATE, POINTS)
    five = TEMPLATE @ matrix[:, :2].T + matrix[:, 2]
    image = np.zeros((128, 128, 3), np.uint8)
    rows, columns = np.mgrid[:128, :128]
    bell = np.exp(-((columns - five[3, 0]) ** 2 + (rows - five[3, 1]) ** 2) / (2 * 2.0**2))
    image[..., 1] = (bell * 255).astype(np.uint8)
    face = align(image[None], landmarks(five)[None], np.array([True]))[0, ..., 1].astype(float)
    y, x = np.mgrid[:SIDE, :SIDE]
    assert ((face * x).sum() / face.sum(), (face * y).sum() / face.sum()) == pytest.approx(TEMPLATE[3], abs=0.1)


@pytest.mark.parametrize("points", [np.full((68, 2), np.nan), np.full((68, 2), 60.0)])
def test_picture_without_landmarks_gives_its_centre(points: np.ndarray) -> None:
    image = np.random.default_rng(2).integers(0, 256, (128, 128, 3), np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 4)
    face = align(image[None], points[None], np.array([False]))[0]
    expected = cv2.resize(image[30:98, 30:98], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    assert np.abs(face[4:-4, 4:-4].astype(int) - expected[4:-4, 4:-4]).max() <= 1


def test_broken_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(b"no network")
    with pytest.raises(ExternalFileError, match=r"face.onnx cannot be read as the MobileFaceNet"):
        FaceEmbedder(tmp_path / "face.onnx")


@pytest.mark.mirror
def test_network_of_another_size_is_refused(mirror: Path) -> None:
    with pytest.raises(ExternalFileError, match="not faces of 3x112x112"):
        FaceEmbedder(mirror / "weights/yunet_s_640_640.onnx")


@pytest.mark.mirror
def test_embeddings_have_length_one_and_do_not_depend_on_threads(mirror: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (9, 128, 128, 3), np.uint8)
    points = np.tile(landmarks(POINTS), (9, 1, 1))
    found = np.arange(9) % 2 == 0
    path = mirror / "weights/MobileFaceNet.foamliu.onnx"
    one, three = (FaceEmbedder(path, workers).embed(images, points, found) for workers in (1, 3))
    assert one.shape == (9, 128)
    assert one.dtype == np.float32
    assert np.linalg.norm(one, axis=1) == pytest.approx(np.ones(9), abs=1e-5)
    assert np.array_equal(one, three)
    assert FaceEmbedder(path).embed(images[:0], points[:0], found[:0]).shape == (0, 128)


@pytest.mark.mirror
def test_embedding_thousands_of_faces_takes_a_minute_not_an_hour(mirror: Path) -> None:
    embedder = FaceEmbedder(mirror / "weights/MobileFaceNet.foamliu.onnx", 1)
    images = np.zeros((50, 128, 128, 3), np.uint8)
    start = time.process_time()
    embedder.embed(images, np.zeros((50, 68, 2)), np.zeros(50, bool))
    # 7 ms a face of processor time were measured; the bound is what 2,646 faces may take in two minutes on one core
    assert (time.process_time() - start) / 50 < 0.045
