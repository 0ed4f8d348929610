"""Which face is meant, and the detectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from blindface.base.errors import ExternalFileError
from blindface.landmarks.detection import (
    FIELDS,
    S3FD,
    WholePicture,
    YuNet,
    choose_face,
    choose_faces,
    make_faces,
    scale_faces,
)


def faces(*rows: tuple[float, float, float, float]) -> np.ndarray:
    """Faces from centre x, centre y, side and score in px of a 128 px picture."""
    table = np.array(rows)
    corners = np.concatenate([table[:, :2] - table[:, 2:3] / 2, table[:, :2] + table[:, 2:3] / 2], axis=1)
    return make_faces(corners, table[:, 3])


def test_nearest_the_centre_is_chosen() -> None:
    assert choose_face(faces((20, 64, 40, 0.9), (70, 60, 40, 0.9), (110, 64, 40, 0.9)), 128, 128) == 1


def test_large_face_a_little_off_the_centre_wins_over_a_small_one_behind_it() -> None:
    # 8 px are a sixth of the large face's side, 4 px a third of the small one's
    assert choose_face(faces((68, 64, 12, 0.9), (72, 64, 48, 0.9)), 128, 128) == 1


def test_of_two_at_the_same_place_the_surer_one_is_chosen() -> None:
    assert choose_face(faces((64, 64, 40, 0.6), (64, 64, 40, 0.95)), 128, 128) == 1


def test_no_face_is_none_and_a_row_of_nan() -> None:
    none = np.empty((0, FIELDS), np.float32)
    assert choose_face(none, 128, 128) is None
    chosen, counts = choose_faces([none, faces((64, 64, 40, 0.9))], 128, 128)
    assert np.isnan(chosen[0]).all()
    assert counts.tolist() == [0, 1]


def test_faces_of_an_enlarged_picture_lie_at_the_same_place_of_the_picture() -> None:
    made = make_faces(np.array([[20.0, 40, 60, 100]]), np.array([0.7]), np.full((1, 10), 50.0), enlargement=2)
    assert made[0] == pytest.approx([9.5, 19.5, 29.5, 49.5, 0.7, *[24.5] * 10])
    assert scale_faces(made, 2)[0] == pytest.approx([19.5, 39.5, 59.5, 99.5, 0.7, *[49.5] * 10])


def test_without_a_detector_the_whole_picture_is_the_face() -> None:
    (found,) = WholePicture()(np.zeros((1, 64, 128, 3), np.uint8))
    assert found[0, :5].tolist() == [-0.5, -0.5, 127.5, 63.5, 1]
    assert np.isnan(found[0, 5:]).all()


@pytest.mark.parametrize("make", [YuNet, S3FD])
def test_broken_weights_are_named(tmp_path: Path, make: type) -> None:
    if make is S3FD:
        pytest.importorskip("face_alignment")
    path = tmp_path / "broken"
    path.write_bytes(b"no network")
    with pytest.raises(ExternalFileError, match=r"broken.*fetch the weights again"):
        make(path)


@pytest.fixture(scope="module")
def s3fd_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the right form whose every place is a face: only the head's bias for 'face' is not random or zero."""
    net_s3fd = pytest.importorskip("face_alignment.detection.sfd.net_s3fd")
    with torch.device("meta"):
        network = net_s3fd.s3fd()
    state = {name: torch.zeros(value.shape) for name, value in network.state_dict().items()}
    # the largest stride's head: at 128 px one place, whose box of 512 px stands at the picture's centre
    state["conv7_2_mbox_conf.bias"] = torch.tensor([0.0, 3.0])
    path = tmp_path_factory.mktemp("s3fd") / "s3fd.pth"
    torch.save(state, path)
    return path


def test_s3fd_runs_from_a_local_file_and_gives_boxes_in_picture_pixels(s3fd_file: Path) -> None:
    found = S3FD(s3fd_file, score=0.9, batch_size=2)(np.zeros((3, 128, 128, 3), np.uint8))
    assert len(found) == 3
    assert all(face.shape[1] == FIELDS for face in found)
    score = 1 / (1 + np.exp(-3))
    assert found[2][0, 4] == pytest.approx(score, abs=1e-4)
    box = found[2][0, :4]
    assert box[2] - box[0] == pytest.approx(512, abs=1)  # S3FD's anchor of that layer: four times its stride of 128


def test_s3fd_without_any_face_gives_empty_tables(s3fd_file: Path) -> None:
    found = S3FD(s3fd_file, score=0.99)(np.zeros((2, 128, 128, 3), np.uint8))
    assert [face.shape for face in found] == [(0, FIELDS)] * 2


@pytest.mark.mirror
def test_yunet_finds_nothing_in_noise_and_its_threads_keep_the_order(mirror: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (4, 128, 128, 3), np.uint8)
    detector = YuNet(mirror / "weights/yunet_s_640_640.onnx", workers=2)
    assert [len(found) for found in detector(pictures)] == [0, 0, 0, 0]
    assert detector(np.empty((0, 128, 128, 3), np.uint8)) == []
