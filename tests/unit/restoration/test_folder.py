"""A plain folder of pictures through a model, and image tables as PNG files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import blindface.cli  # noqa: F401
from blindface.base.errors import InputError
from blindface.base.image_table import ImageTableWriter
from blindface.base.images import Image
from blindface.base.png import export_images
from blindface.cli.app import app
from blindface.restoration.folder import restore_folder
from blindface.restoration.models import load_model
from tests.unit.pictures import textured

MODEL = Path(__file__).parents[3] / "models" / "objective1.safetensors"


def write(path: Path, picture: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture[..., ::-1])[1].tobytes())


def read(path: Path) -> Image:
    return np.asarray(cv2.imread(str(path))[..., ::-1], dtype=np.uint8)


def test_own_pictures_are_restored_at_the_models_size_under_their_names(tmp_path: Path) -> None:
    blind = np.ascontiguousarray(textured(2)[:, ::8, ::8])
    write(tmp_path / "mine" / "a.png", blind[0])
    # four pixels for each one, and margins that the centred square cuts off
    large = np.pad(np.repeat(np.repeat(blind[1], 4, 0), 4, 1), ((0, 0), (9, 9), (0, 0)))
    write(tmp_path / "mine" / "deep" / "b.png", large)
    (tmp_path / "mine" / "notes.txt").write_text("no picture")
    words = ["restore-folder", "--model", str(MODEL), "--folder", str(tmp_path / "mine"), "--output"]
    done = CliRunner().invoke(app, [*words, str(tmp_path / "out"), "--params", '{"restore": {"device": "cpu"}}'])
    assert done.exit_code == 0, done.exception
    assert "notes.txt is left out: " in done.output
    assert "2 pictures, each brought to 16x16 px before" in done.output
    expected = load_model(MODEL)(blind, ["a", "deep/b"])
    for name, image in zip(("a", "deep/b"), expected, strict=True):
        difference = read(tmp_path / "out" / f"{name}.png").astype(int) - image
        assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    ("names", "output", "sentence"),
    [
        ((), "out", "holds no picture"),
        (("a.png", "a.jpg"), "out", "differ by their suffix only"),
        (("a.png",), "mine/out", "lies in"),
    ],
)
def test_folders_that_cannot_be_restored_are_refused(
    tmp_path: Path, names: tuple[str, ...], output: str, sentence: str
) -> None:
    (tmp_path / "mine").mkdir()
    for name in names:
        write(tmp_path / "mine" / name, textured(1)[0])
    with pytest.raises(InputError, match=sentence):
        restore_folder(MODEL, tmp_path / "mine", tmp_path / output)


def test_a_missing_folder_is_named_with_its_whole_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path / 'nowhere'} is no folder"):
        restore_folder(MODEL, tmp_path / "nowhere", tmp_path / "out")


def test_a_table_becomes_png_files_of_the_same_pixels(tmp_path: Path) -> None:
    ids, images = ["Ann/Ann_0001", "Bo/Bo_0001"], textured(2)
    with ImageTableWriter(tmp_path / "t.parquet", {"id": pa.string()}, {"image": images.shape[1:]}) as writer:
        writer.append({"id": ids}, {"image": images})
    done = CliRunner().invoke(
        app, ["export-images", "--table", str(tmp_path / "t.parquet"), "--output", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.exception
    for name, image in zip(ids, images, strict=True):
        np.testing.assert_array_equal(read(tmp_path / "out" / f"{name}.png"), image)
    with pytest.raises(InputError, match="has the image columns image: choose one by --column"):
        export_images(tmp_path / "t.parquet", tmp_path / "more", "blind")
