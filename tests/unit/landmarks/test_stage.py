"""The stage: what it does with many faces, none, a stop in the middle; the exact points; measuring; the commands."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import blindface.cli.landmarks  # noqa: F401  (registers the commands)
from blindface.base.errors import InputError
from blindface.base.image_table import iterate_images, read_metadata
from blindface.base.threads import opencv_single_threaded
from blindface.cli.app import app
from blindface.landmarks.detection import Faces
from blindface.landmarks.exact import MEMBER
from blindface.landmarks.measure import compare_exact, compare_five
from blindface.landmarks.stage import detect_landmarks, exact_landmarks, locate
from blindface.landmarks.table import read_landmarks, read_points, within_frame, write_landmarks
from tests.unit.landmarks.fakes import BoxBackend, RedDetector, write_targets


def test_no_face_in_the_whole_batch_is_no_error() -> None:
    backend = BoxBackend()
    images = np.zeros((3, 128, 128, 3), np.uint8)
    result = locate(images, RedDetector()(images), backend)
    assert not result.found.any()
    assert np.isnan(result.points_128).all()
    assert np.isnan(result.points_64).all()
    assert np.isnan(result.box).all()
    assert result.score.tolist() == [0, 0, 0]
    assert backend.seen == []


def test_of_several_faces_the_central_one_is_taken_and_their_number_recorded(tmp_path: Path) -> None:
    write_targets(tmp_path / "t.parquet", [1, 0, 3])
    assert detect_landmarks(tmp_path / "t.parquet", tmp_path / "l.parquet", RedDetector(), BoxBackend(), {}) == (2, 1)
    _, result = read_landmarks(tmp_path / "l.parquet")
    assert result.faces.tolist() == [1, 0, 3]
    assert result.found.tolist() == [True, False, True]
    assert result.box[2] == pytest.approx((39.5, 39.5, 89.5, 89.5))
    assert result.points_128[2, 0] == pytest.approx((39.5, 39.5))


def test_points_of_the_half_are_scaled_about_pixel_edges() -> None:
    images = np.ones((1, 128, 128, 3), np.uint8)
    result = locate(images, RedDetector()(images), BoxBackend())
    assert result.points_64 == pytest.approx((result.points_128 + 0.5) / 2 - 0.5)


def test_backend_with_points_of_its_own_sees_the_reduced_target() -> None:
    backend = BoxBackend(own_half=True)
    images = np.ones((2, 128, 128, 3), np.uint8)
    result = locate(images, RedDetector()(images), backend)
    assert backend.seen == [(2, 128), (2, 64)]
    assert result.points_64[0, 67] == pytest.approx((44.5, 44.5))  # (89.5 + 0.5) / 2 - 0.5


def test_points_beyond_the_border_are_moved_onto_it_and_a_face_mostly_outside_is_none() -> None:
    points = np.full((3, 68, 2), 60.0)
    points[0, 8] = (60, 140)
    points[1, :40] = -9
    points[2, 3] = np.nan
    inside, found = within_frame(points, np.ones(3, bool))
    assert found.tolist() == [True, False, False]
    assert inside[0, 8].tolist() == [60, 127]
    assert np.isnan(inside[1:]).all()


def test_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    targets, output = tmp_path / "t.parquet", tmp_path / "l.parquet"
    write_targets(targets, [1] * 10)
    with pytest.raises(KeyboardInterrupt):
        detect_landmarks(targets, output, RedDetector(), BoxBackend(fail_after=2), {"margin": 1}, part=3)
    assert not output.exists()
    backend = BoxBackend()
    detect_landmarks(targets, output, RedDetector(), backend, {"margin": 1}, part=3)
    assert backend.seen == [(3, 128), (1, 128)]  # parts 3 and 4; 1 and 2 were remembered
    assert [path.name for path in tmp_path.iterdir() if "parts" in path.name] == []

    whole = tmp_path / "whole.parquet"
    detect_landmarks(targets, whole, RedDetector(), BoxBackend(), {"margin": 1}, part=3)
    assert whole.read_bytes() == output.read_bytes()


def test_number_of_opencv_threads_is_not_changed_while_another_thread_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was once: the detector changed it beside the backend's crops, and the process died now and then."""
    changed_by: list[threading.Thread] = []
    monkeypatch.setattr(cv2, "setNumThreads", lambda count: changed_by.append(threading.current_thread()))

    class QuietDetector(RedDetector):
        def __call__(self, images: NDArray[np.uint8]) -> list[Faces]:
            assert threading.current_thread() is not threading.main_thread()
            with opencv_single_threaded():
                return super().__call__(images)

    write_targets(tmp_path / "targets.parquet", [1, 1, 1])
    detect_landmarks(
        tmp_path / "targets.parquet", tmp_path / "landmarks.parquet", QuietDetector(), BoxBackend(), {}, part=1
    )
    assert changed_by == [threading.main_thread()] * 2


@pytest.mark.parametrize("change", ["settings", "pixels", "cut"])
def test_part_that_no_longer_holds_is_made_again(tmp_path: Path, change: str) -> None:
    targets, output = tmp_path / "t.parquet", tmp_path / "l.parquet"
    write_targets(targets, [1] * 4)
    with pytest.raises(KeyboardInterrupt):
        detect_landmarks(targets, output, RedDetector(), BoxBackend(fail_after=1), {"margin": 1}, part=2)
    if change == "pixels":
        write_targets(targets, [2] * 4)
    if change == "cut":
        (part,) = (tmp_path / ".l.parts").glob("*.npz")
        part.write_bytes(part.read_bytes()[:500])
    backend = BoxBackend()
    settings = {"margin": 2 if change == "settings" else 1}
    detect_landmarks(targets, output, RedDetector(), backend, settings, part=2)
    assert len(backend.seen) == 2


def test_only_the_wanted_ids_are_looked_at_in_file_order(tmp_path: Path) -> None:
    ids = write_targets(tmp_path / "t.parquet", [1, 0, 1, 1, 1])
    backend = BoxBackend()
    wanted = [ids[4], ids[1], ids[2]]
    counts = detect_landmarks(
        tmp_path / "t.parquet", tmp_path / "l.parquet", RedDetector(), backend, {}, wanted, part=2
    )
    names, result = read_landmarks(tmp_path / "l.parquet")
    assert counts == (2, 1)
    assert names == [ids[1], ids[2], ids[4]]
    assert result.found.tolist() == [False, True, True]


def test_landmarks_are_read_in_the_order_asked_for_and_a_lacking_id_is_named(tmp_path: Path) -> None:
    ids = write_targets(tmp_path / "t.parquet", [1, 0])
    detect_landmarks(tmp_path / "t.parquet", tmp_path / "l.parquet", RedDetector(), BoxBackend(), {"score": 0.5})
    assert read_landmarks(tmp_path / "l.parquet", ids[::-1])[1].found.tolist() == [False, True]
    assert json.loads(read_metadata(tmp_path / "l.parquet")["settings"]) == {"score": 0.5}
    with pytest.raises(InputError, match=r"lacks the landmarks of 1 .*Nobody"):
        read_landmarks(tmp_path / "l.parquet", [ids[0], "Nobody"])
    with pytest.raises(InputError, match=r"no column 'found'"):
        read_landmarks(tmp_path / "t.parquet")


def test_points_alone_are_zero_where_no_face_is_found_or_one_is_not_finite(tmp_path: Path) -> None:
    ids = write_targets(tmp_path / "t.parquet", [1, 0, 1])
    images = next(iterate_images(tmp_path / "t.parquet", "target"))[1]
    result = locate(images, RedDetector()(images), BoxBackend())
    result.points_64[2, 5, 0] = np.inf
    write_landmarks(tmp_path / "l.parquet", [(ids, result)], {})
    points = read_points(tmp_path / "l.parquet", [ids[2], ids[1], ids[0]])
    assert points.found.tolist() == [False, False, True]
    assert not points.points_128[:2].any()
    assert not points.points_64[:2].any()
    np.testing.assert_array_equal(points.points_128[2], result.points_128[0])
    np.testing.assert_array_equal(points.points_64[2], result.points_64[0])
    with pytest.raises(InputError, match=r"lacks the landmarks of 1 images, first Nobody"):
        read_points(tmp_path / "l.parquet", ["Nobody"])


def write_archive(path: Path, rows: dict[str, np.ndarray]) -> Path:
    heading = ",".join(["id", *(f"{axis}{n}" for n in range(68) for axis in "xy")])
    lines = [heading, *(",".join([name, *map(str, points.ravel())]) for name, points in rows.items())]
    content = "\n".join(lines).encode()
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo(MEMBER)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return path


def face(seed: int) -> np.ndarray:
    """68 points of a 256 px photograph, eyes 40 px apart."""
    points = np.random.default_rng(seed).uniform(60, 200, (68, 2)).round(2)
    points[36:42], points[42:48] = (100, 110), (140, 110)
    return points


def test_exact_points_are_those_of_the_archive_in_target_pixels(tmp_path: Path) -> None:
    ids = write_targets(tmp_path / "t.parquet", [1, 1])
    archive = write_archive(tmp_path / "a.tar", {name: face(n) for n, name in enumerate(ids)})
    assert exact_landmarks(tmp_path / "t.parquet", archive, tmp_path / "l.parquet") == (2, 0)
    _, result = read_landmarks(tmp_path / "l.parquet")
    assert result.points_128[1] == pytest.approx((face(1) + 0.5) / 2 - 0.5, abs=1e-4)
    assert result.points_64[1] == pytest.approx((face(1) + 0.5) / 4 - 0.5, abs=1e-4)
    assert result.score.tolist() == [1, 1]
    assert result.faces.tolist() == [1, 1]
    only = exact_landmarks(tmp_path / "t.parquet", archive, tmp_path / "one.parquet", [ids[1]])
    assert only == (1, 0)


def test_exact_points_that_are_lacking_or_broken_are_named(tmp_path: Path) -> None:
    ids = write_targets(tmp_path / "t.parquet", [1, 1])
    archive = write_archive(tmp_path / "a.tar", {ids[0]: face(0)})
    with pytest.raises(InputError, match=ids[1]):
        exact_landmarks(tmp_path / "t.parquet", archive, tmp_path / "l.parquet")
    broken = write_archive(tmp_path / "b.tar", {ids[0]: face(0)[:60], ids[1]: face(1)})
    with pytest.raises(InputError, match="is broken"):
        exact_landmarks(tmp_path / "t.parquet", broken, tmp_path / "l.parquet")
    assert not (tmp_path / "l.parquet").exists()


def test_measured_distances_are_the_known_ones(tmp_path: Path) -> None:
    ids = write_targets(tmp_path / "t.parquet", [1, 1, 1])
    exact = {name: face(n) for n, name in enumerate(ids)}
    archive = write_archive(tmp_path / "a.tar", exact)
    exact_landmarks(tmp_path / "t.parquet", archive, tmp_path / "l.parquet")
    moved = write_archive(tmp_path / "m.tar", {name: points + np.array([4, 0]) for name, points in exact.items()})
    result = compare_exact(tmp_path / "l.parquet", tmp_path / "t.parquet", moved)
    assert result["median"] == pytest.approx(0.1, abs=1e-3)  # 4 px of 40 between the eyes
    assert result["coverage"] == 1

    lines = []
    for name, points in exact.items():
        five = np.stack([points[36], points[42], points[30], points[48], points[54]])
        on_250 = (five + (0, 2) + 0.5) * 250 / 256 - 0.5
        lines.append("\t".join([f"{name}.jpg", *(f"{value:.3f}" for value in on_250.ravel())]))
    (tmp_path / "five.txt").write_text("\n".join(lines))
    result = compare_five(tmp_path / "l.parquet", tmp_path / "t.parquet", tmp_path / "five.txt")
    assert result["median"] == pytest.approx(0.05, abs=1e-3)
    assert result["offset"]["left eye"] == pytest.approx([0, -0.05], abs=1e-3)
    assert result["near"] == 1


def test_command_writes_exact_landmarks_and_the_check_prints_their_error(tmp_path: Path) -> None:
    ids = write_targets(tmp_path / "t.parquet", [1, 1])
    archive = write_archive(tmp_path / "a.tar", {name: face(n) for n, name in enumerate(ids)})
    common = ["--targets", str(tmp_path / "t.parquet"), "--archive", str(archive)]
    choice = ["--params", '{"landmarks": {"backend": "exact", "detector": "none"}}']
    done = CliRunner().invoke(app, ["landmarks", *choice, *common, "--output", str(tmp_path / "l.parquet")])
    assert done.exit_code == 0, done.output
    checked = ["check-landmarks", *common, "--landmarks", str(tmp_path / "l.parquet"), "--output", str(tmp_path / "c")]
    done = CliRunner().invoke(app, checked)
    assert done.exit_code == 0, done.output
    assert "coverage: 1.0" in done.output
    assert json.loads((tmp_path / "c").read_text())["median"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--params", '{"landmarks": {"backend": "exact"}}'], "needs --archive"),
        (["--params", '{"landmarks": {"backend": "pfld", "detector": "none"}}'], "'pfld' are not in the manifest"),
    ],
)
def test_command_says_what_is_missing(tmp_path: Path, arguments: list[str], message: str) -> None:
    write_targets(tmp_path / "t.parquet", [1])
    call = ["landmarks", *arguments, "--targets", str(tmp_path / "t.parquet"), "--output", str(tmp_path / "l.parquet")]
    done = CliRunner().invoke(app, call)
    assert message in str(done.exception)
    assert not (tmp_path / "l.parquet").exists()
