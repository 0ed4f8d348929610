"""The archive of the embedded set, and the command that writes its pictures to look at."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from blindface.params import EmbeddedParams
from blindface.rendered import render_photograph, write_archive
from blindface.rendered.archive import draw_overlay, members

PARAMS = EmbeddedParams(seed=5, identities=2, photographs=2)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("embedded") / "photographs.archive"
    write_archive(path, PARAMS)
    return path


def read_csv(archive: Path, name: str) -> list[list[str]]:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return list(csv.reader(io.StringIO(file.read().decode())))


def test_archive_has_lfws_layout_sorted_and_anonymous(archive: Path) -> None:
    with tarfile.open(archive, "r:") as tar:
        entries = tar.getmembers()
    assert [e.name for e in entries] == [
        "embedded/Rendered_Person_001/Rendered_Person_001_0001.jpg",
        "embedded/Rendered_Person_001/Rendered_Person_001_0002.jpg",
        "embedded/Rendered_Person_002/Rendered_Person_002_0001.jpg",
        "embedded/Rendered_Person_002/Rendered_Person_002_0002.jpg",
        "embedded/attributes.csv",
        "embedded/landmarks.csv",
    ]
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname, e.isreg()) for e in entries} == {(0, 0, 0, "", "", True)}


@pytest.mark.parametrize("workers", [1, 2])
def test_bytes_depend_on_nothing_but_the_parameters(archive: Path, tmp_path: Path, workers: int) -> None:
    write_archive(tmp_path / "again.tar", PARAMS, workers)
    assert (
        hashlib.sha256((tmp_path / "again.tar").read_bytes()).digest() == hashlib.sha256(archive.read_bytes()).digest()
    )
    assert [p.name for p in tmp_path.iterdir()] == ["again.tar"]


def test_photographs_are_the_rendered_ones(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        file = tar.extractfile("embedded/Rendered_Person_002/Rendered_Person_002_0001.jpg")
        assert file is not None
        image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    expected = render_photograph(2, 1, PARAMS.seed).image
    assert image.shape == (250, 250, 3)
    assert np.abs(image.astype(int) - expected).mean() < 4


def test_landmarks_are_listed_by_id(archive: Path) -> None:
    header, *rows = read_csv(archive, "embedded/landmarks.csv")
    assert header == ["id", *(f"{axis}{i}" for i in range(68) for axis in "xy")]
    assert [row[0] for row in rows] == [name for name, _, _ in members(PARAMS)]
    listed = np.array(rows[2][1:], float).reshape(68, 2)
    assert np.allclose(listed, render_photograph(2, 1, PARAMS.seed).landmarks, atol=1e-4)


def test_attributes_are_listed_by_id(archive: Path) -> None:
    header, *rows = read_csv(archive, "embedded/attributes.csv")
    assert [row[0] for row in rows] == [name for name, _, _ in members(PARAMS)]
    shown = dict(zip(header, rows[3], strict=True))
    assert float(shown["yaw"]) == render_photograph(2, 2, PARAMS.seed).attributes["yaw"]


def test_ids_are_sorted_beyond_a_thousand_people() -> None:
    ids = [name for name, _, _ in members(EmbeddedParams(identities=1001, photographs=1))]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1001


def test_overlay_marks_the_landmarks() -> None:
    picture = render_photograph(1, 1, 5)
    shown = draw_overlay(picture)
    assert shown.shape == (750, 750, 3)
    x, y = np.round((picture.landmarks[8] + 0.5) * 3 - 0.5).astype(int)
    assert tuple(shown[y, x]) == (60, 255, 90)


@pytest.mark.parametrize(("options", "side"), [([], 250), (["--overlay"], 750)])
def test_command_writes_pngs(tmp_path: Path, options: list[str], side: int) -> None:
    import blindface.cli.embedded  # noqa: F401
    from blindface.cli.app import app

    params = '{"fetch": {"embedded": {"identities": 2, "photographs": 1}}}'
    result = CliRunner().invoke(app, ["embedded", "--params", params, "--output", str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    files = sorted(tmp_path.rglob("*.png"))
    assert [str(f.relative_to(tmp_path)) for f in files] == [
        "Rendered_Person_001/Rendered_Person_001_0001.png",
        "Rendered_Person_002/Rendered_Person_002_0001.png",
    ]
    assert cv2.imread(str(files[0])).shape == (side, side, 3)
