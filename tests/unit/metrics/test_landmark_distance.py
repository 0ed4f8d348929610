"""Landmark distance: known answers, and what the network is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from blindface.base.images import Image
from blindface.base.randomness import generator
from blindface.landmarks.choices import make_backend, make_detector
from blindface.landmarks.geometry import five_points
from blindface.landmarks.stage import locate
from blindface.metrics.landmark_distance import landmark_distance, measure_landmarks
from tests.unit.metrics.test_pyiqa_reference import photographs
from tests.unit.pictures import noisy


def faces(count: int) -> NDArray[np.float32]:
    points = generator(1, "faces").uniform(30, 90, (count, 68, 2)).astype(np.float32)
    points[:, 36], points[:, 45] = (40, 50), (80, 50)  # 40 px between the outer corners of the eyes
    return points


def test_a_shift_of_all_points_is_that_shift_in_inter_ocular_distances() -> None:
    wanted = faces(3)
    assert landmark_distance(wanted, wanted).tolist() == [0, 0, 0]
    assert landmark_distance(wanted + np.float32([3, 4]), wanted) == pytest.approx([5 / 40] * 3)


def test_only_the_target_sets_the_scale() -> None:
    wanted = faces(1)
    restored = wanted.copy()
    restored[:, 45] = 40, 50  # one eye corner on the other: 40 px off, one point of 68
    assert landmark_distance(restored, wanted) == pytest.approx([40 / 68 / 40])
    assert np.isnan(landmark_distance(wanted, restored)).all()


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(N, 68, 2\)"):
        landmark_distance(np.zeros((2, 5, 2)), np.zeros((2, 5, 2)))


class Shifted:
    """A network that finds the target's points moved by ten per cent of the box's width, and remembers what it saw."""

    def __init__(self, points: NDArray[np.float32]) -> None:
        self.points, self.images, self.faces = points, np.empty(0), np.empty(0)

    def __call__(self, images: Image, faces: NDArray[Any]) -> NDArray[np.float32]:
        self.images, self.faces = images, faces
        return self.points + 0.1 * (faces[:, 2] - faces[:, 0])[:, None, None] * np.float32([1, 0])


def test_the_network_sees_the_restored_image_in_the_targets_box_and_found_faces_only() -> None:
    points = faces(3)
    boxes = np.float32([[20, 20, 60, 90], [10, 10, 90, 90], [0, 0, 100, 100]])
    images = np.arange(3, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    network = Shifted(points[[0, 2]])
    values = measure_landmarks(network, images, points, boxes, np.array([True, False, True]))
    assert values[[0, 2]] == pytest.approx([4 / 40, 10 / 40])
    assert np.isnan(values[1])
    assert network.images.ravel()[::3].tolist() == [0, 2]
    assert network.faces[:, :4].tolist() == boxes[[0, 2]].tolist()
    assert network.faces[:, 5:].reshape(2, 5, 2) == pytest.approx(five_points(points[[0, 2]]))


def test_without_any_face_no_network_is_asked() -> None:
    def never(images: Image, faces: NDArray[Any]) -> NDArray[np.float32]:
        raise AssertionError

    values = measure_landmarks(
        never, np.zeros((2, 128, 128, 3), np.uint8), faces(2), np.zeros((2, 4), np.float32), np.zeros(2, bool)
    )
    assert np.isnan(values).all()


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("backend", "file", "floor"),
    # measured on 24 photographs: the compressed FAN's own targets are 0.014 off, its five points come from the 68 here
    [("pfld", "pfld68.cunjian.onnx", 1e-6), ("compressed_fan", "compressed_fan_state_dict.derived.pth", 0.03)],
)
def test_the_targets_themselves_are_near_and_noise_is_far(mirror: Path, backend: str, file: str, floor: float) -> None:
    targets, weights = photographs(mirror, 4), mirror / "weights"
    detector = make_detector("yunet", weights / "yunet_s_640_640.onnx", 0.5, "cpu", 4, 1)
    network = make_backend(backend, weights / file, "yunet", 0.25, "cpu", 4)
    there = locate(targets, detector(targets), network)

    def distance(images: Image) -> float:
        return float(np.nanmean(measure_landmarks(network, images, there.points_128, there.box, there.found)))

    assert distance(targets) <= floor
    assert distance(noisy(targets, 80)) > 0.05
