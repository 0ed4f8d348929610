"""A folder of restored PNGs as a method: what is accepted, and what is said about files that do not fit."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import blindface.cli  # noqa: F401
from blindface.base import image_table
from blindface.base.errors import InputError, ParameterError
from blindface.base.images import Image
from blindface.cli.app import app
from blindface.params import Objective, validate
from blindface.restoration.external import check_name, import_folder
from tests.unit.pictures import textured

IDS = ["Ann/Ann_0001", "Ann/Ann_0002", "Bo/Bo_0001"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_data(tmp_path, IDS)
    return tmp_path


def write_data(path: Path, ids: list[str]) -> None:
    pictures = textured(len(ids))
    for name, column, images in (("targets", "target", pictures), ("pairs", "blind", pictures[:, ::8, ::8])):
        shape, recorded = images.shape[1:], {"objective": "objective1"}
        with image_table.ImageTableWriter(path / name, {"id": pa.string()}, {column: shape}, recorded) as writer:
            writer.append({"id": ids}, {column: np.ascontiguousarray(images)})
    for name, picture in zip(ids, pictures, strict=True):
        write(path / "folder" / f"{name}.png", picture)


def write(path: Path, picture: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def run(place: Path, objective: Objective | None = None, resize_larger: bool = False) -> int:
    paths = (place / "folder", place / "pairs", place / "targets", place / "out")
    return import_folder(*paths, "theirs", objective, resize_larger)


def refused(place: Path) -> str:
    with pytest.raises(InputError) as error:
        run(place)
    assert not (place / "out").exists()
    return str(error.value)


def test_pictures_are_read_by_their_ids_in_the_order_of_the_pairs(place: Path) -> None:
    assert run(place) == 3
    assert list(image_table.read_table(place / "out")["id"]) == IDS
    np.testing.assert_array_equal(image_table.read_images(place / "out", "image"), textured(3))
    assert image_table.read_metadata(place / "out") == {"method": "theirs", "objective": "objective1"}


ACCENTS = ["Jos\u00e9 Garc\u00eda/Jos\u00e9 Garc\u00eda_0001", "Zo\u00eb/1"]
"""As Linux writes them; as macOS does, each accent is a character of its own."""


@pytest.mark.parametrize("theirs", ["NFC", "NFD"])
@pytest.mark.parametrize("ours", ["NFC", "NFD"])
@pytest.mark.parametrize("flat", [False, True])
def test_a_name_in_another_unicode_form_is_the_same_name(tmp_path: Path, ours: str, theirs: str, flat: bool) -> None:
    ids = sorted(unicodedata.normalize(ours, name) for name in ACCENTS)
    pictures = textured(2)
    for name, column in (("targets", "target"), ("pairs", "blind")):
        with image_table.ImageTableWriter(tmp_path / name, {"id": pa.string()}, {column: (128, 128, 3)}) as writer:
            writer.append({"id": ids}, {column: pictures})
    for name, picture in zip(ids, pictures, strict=True):
        written = unicodedata.normalize(theirs, name)
        write(tmp_path / "folder" / f"{written.rpartition('/')[2] if flat else written}.png", picture)
    assert run(tmp_path) == 2
    assert list(image_table.read_table(tmp_path / "out")["id"]) == ids  # the originals are kept
    np.testing.assert_array_equal(image_table.read_images(tmp_path / "out", "image"), pictures)


def test_one_name_in_two_unicode_forms_is_refused_unless_the_very_name_is_there(place: Path) -> None:
    with image_table.ImageTableWriter(place / "pairs", {"id": pa.string()}, {"blind": (16, 16, 3)}) as writer:
        writer.append({"id": ["Zo\u00eb\u0301/1"]}, {"blind": np.zeros((1, 16, 16, 3), np.uint8)})
    for path in (place / "folder").rglob("*.png"):
        path.unlink()
    write(place / "folder" / "Zoe\u0308\u0301" / "1.png", textured(1)[0])
    assert run(place) == 1
    write(place / "folder" / "Zo\u00eb\u0301" / "1.png", textured(1)[0])
    (place / "out").unlink()
    assert "of no blind image" in refused(place)


def test_the_commands_import_and_score_a_folder(place: Path) -> None:
    given = ["--method", "theirs", "--folder", str(place / "folder")]
    given += ["--pairs", str(place / "pairs"), "--targets", str(place / "targets")]
    runner = CliRunner()
    packed_up = runner.invoke(app, ["import-folder", *given, "--output", str(place / "out")])
    assert packed_up.exit_code == 0, packed_up.output
    assert image_table.read_metadata(place / "out")["objective"] == "objective1"
    values = ["--images", str(place / "values.parquet"), "--output", str(place / "scores.json")]
    choice = ["--params", '{"evaluate": {"device": "cpu", "batch_size": 1, "bootstrap": 10}}']
    scored = runner.invoke(app, ["score-folder", *given, *values, *choice])
    assert scored.exit_code == 0, scored.output + str(scored.exception)
    assert "theirs, 3 images of objective1" in scored.output
    assert json.loads((place / "scores.json").read_text())["objective"] == "objective1"
    assert image_table.read_table(place / "values.parquet")["ssim"].tolist() == pytest.approx([1.0] * 3)


def test_a_flat_folder_will_do_and_hidden_files_are_left_alone(place: Path) -> None:
    for path in sorted((place / "folder").rglob("*.png")):
        path.rename(place / "folder" / path.name)
    (place / "folder" / ".DS_Store").write_bytes(b"x")
    run(place)
    np.testing.assert_array_equal(image_table.read_images(place / "out", "image"), textured(3))


def test_missing_and_extra_files_are_named_together(place: Path) -> None:
    (place / "folder" / f"{IDS[1]}.png").rename(place / "folder" / "Ann_0003.png")
    (place / "folder" / "notes.txt").write_text("")
    message = refused(place)
    assert "1 missing (Ann/Ann_0002.png)" in message
    assert "2 of no blind image (Ann_0003.png, notes.txt)" in message
    assert "export-pairs" in message


def test_files_of_another_size_are_named_beside_missing_and_extra_ones(place: Path) -> None:
    folder = place / "folder"
    (folder / f"{IDS[0]}.png").rename(folder / "stranger.png")
    write(folder / f"{IDS[2]}.png", textured(1)[0][:64, :64])
    message = refused(place)
    assert "1 missing (Ann/Ann_0001.png)" in message
    assert "1 of no blind image (stranger.png)" in message
    assert "1 not of 128x128 px (Bo_0001.png is 64x64)" in message


def test_many_missing_files_are_counted_not_listed(place: Path) -> None:
    (place / "empty").mkdir()
    with pytest.raises(InputError, match=r"3 missing \(Ann/Ann_0001.png, Ann/Ann_0002.png, Bo/Bo_0001.png\)"):
        import_folder(place / "empty", place / "pairs", place / "targets", place / "out")


def test_files_of_another_size_or_kind_are_named(place: Path) -> None:
    folder = place / "folder"
    write(folder / f"{IDS[0]}.png", textured(1)[0][:100])
    (folder / f"{IDS[1]}.png").write_bytes(b"no picture")
    (folder / f"{IDS[2]}.png").write_bytes(cv2.imencode(".png", textured(1)[0][..., 0])[1].tobytes())
    message = refused(place)
    assert "1 not of 128x128 px (Ann_0001.png is 128x100)" in message
    assert "1 unreadable (Ann_0002.png)" in message
    assert "1 not 8-bit RGB (Bo_0001.png)" in message


def test_sixteen_bits_are_refused(place: Path) -> None:
    deep = textured(1)[0].astype(np.uint16) * 257
    (place / "folder" / f"{IDS[0]}.png").write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    assert "not 8-bit RGB (Ann_0001.png)" in refused(place)


def test_a_folder_that_is_not_there_is_said(place: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        import_folder(place / "nowhere", place / "pairs", place / "targets", place / "out")


def test_pairs_of_another_objective_than_the_one_asked_for_are_refused(place: Path) -> None:
    with pytest.raises(InputError, match="holds blind images of objective1, not of objective2"):
        run(place, "objective2")


def test_larger_pictures_are_reduced_on_request_only(place: Path) -> None:
    picture = textured(1)[0]
    write(place / "folder" / f"{IDS[0]}.png", np.repeat(np.repeat(picture, 4, 0), 4, 1))
    message = refused(place)
    assert "1 larger than 128x128 px (Ann_0001.png is 512x512)" in message
    assert "--resize" in message
    run(place, resize_larger=True)
    # the mean of each 4x4 block, which is of one value here
    np.testing.assert_array_equal(image_table.read_images(place / "out", "image")[0], picture)


def test_a_wide_or_small_picture_is_never_resized(place: Path) -> None:
    write(place / "folder" / f"{IDS[0]}.png", np.zeros((256, 512, 3), np.uint8))
    write(place / "folder" / f"{IDS[1]}.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(InputError, match=r"2 not of 128x128 px \(Ann_0001.png is 512x256, Ann_0002.png is 64x64\)"):
        run(place, resize_larger=True)


def test_decomposed_names_are_those_of_the_ids_which_keep_their_form(tmp_path: Path) -> None:
    ids = [unicodedata.normalize("NFC", name) for name in ("José García/José García_0001", "Zoë/1")]
    write_data(tmp_path, ids)
    for name in ids:
        decomposed = tmp_path / "folder" / f"{unicodedata.normalize('NFD', name)}.png"
        decomposed.parent.mkdir(exist_ok=True)
        (tmp_path / "folder" / f"{name}.png").rename(decomposed)
    assert run(tmp_path) == 2
    assert list(image_table.read_table(tmp_path / "out")["id"]) == ids


def test_flat_and_equal_pictures_are_named_and_measured(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(place / "folder" / f"{IDS[0]}.png", np.zeros((128, 128, 3), np.uint8))
    write(place / "folder" / f"{IDS[2]}.png", textured(3)[1])
    assert run(place) == 3
    said = capsys.readouterr().err
    assert f"1 pictures of {place / 'folder'} are of one colour: {IDS[0]}" in said
    assert f"the same picture as another one: {IDS[2]}" in said


@pytest.mark.parametrize("name", ["progressive1", "objective2", "a/b", "x" * 41])
def test_a_name_that_the_graph_refuses_is_refused_by_the_commands(place: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="parameter 'name'"):
        check_name(name)
    given = ["--folder", str(place / "folder"), "--pairs", str(place / "pairs"), "--targets", str(place / "targets")]
    made = ["--images", str(place / "values"), "--output", str(place / "scores.json")]
    outcome = CliRunner().invoke(app, ["score-folder", "--method", name, *given, *made])
    assert isinstance(outcome.exception, ParameterError)


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([{"name": "parallel", "objective": "objective2", "folder": "f"}], "a method of its own of that name"),
        ([{"name": "a/b", "objective": "objective2", "folder": "f"}], "should match pattern"),
        ([{"name": "x", "objective": "objective2", "folder": "f"}] * 2, "there twice"),
        ([{"name": "x", "objective": "objective3", "folder": "f"}], "objective1' or 'objective2"),
        ([{"name": "x", "objective": "objective1", "folder": "f", "size": 3}], "size"),
    ],
)
def test_bad_entries_among_the_parameters_are_refused(entries: list[dict[str, object]], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        validate({"restore": {"external": entries}})
