"""A folder of mixed images through the commands: what is read rightly, what is listed, what is counted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner, Result

from blindface.base.image_table import read_images
from blindface.cli.app import app
from blindface.photographs.folder import folder_state
from tests.unit.photographs.test_targets import encode, picture

BLUE = (30, 60, 200)


def run(*arguments: object) -> Result:
    import blindface.cli  # noqa: F401  (registers the commands)

    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blue pictures of every kind, red where a rotated one has its top, and six files that are of no use."""
    folder = tmp_path_factory.mktemp("mixed") / "faces"
    folder.mkdir()
    plain = Pillow.new("RGB", (100, 80), BLUE)
    for n in range(4):
        plain.save(folder / f"plain{n}.jpg", quality=100)
    plain.convert("L").save(folder / "grey.png")
    Pillow.new("RGBA", (100, 80), (*BLUE, 0)).save(folder / "clear.png")
    plain.convert("CMYK").save(folder / "ink.tif")
    Pillow.fromarray(np.full((80, 100), 257 * 77, np.uint16)).save(folder / "deep.png")
    turned = plain.copy()
    turned.paste((250, 0, 0), (0, 0, 20, 80))  # the left edge, which Orientation 6 turns to the top
    exif = Pillow.Exif()
    exif[0x0112] = 6
    turned.save(folder / "turned.jpg", quality=100, exif=exif)
    whole = encode(picture(100, 80), "JPEG")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "page.jpg").write_bytes(b"<html>not found</html>")
    plain.resize((40, 70)).save(folder / "tiny.png")
    (folder / "nowhere.jpg").symlink_to(folder / "absent.jpg")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "notes.txt").write_text("left alone")
    return folder


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first stages of that folder."""
    place = tmp_path_factory.mktemp("data")
    values = {"fetch": {"source": "folder", "folder": str(folder), "skip_limit": 0.5}, "split": {"validation": 1}}
    params = ("--params", json.dumps(values))
    targets, split, pairs = place / "targets.parquet", place / "split.csv", place / "pairs.parquet"
    run("photographs", *params, "--output", place / "archive.tar")
    run("targets", *params, "--archive", place / "archive.tar", "--output", targets, "--skipped", place / "skipped.csv")
    run("split", *params, "--targets", targets, "--output", split)
    chosen = ("--objective", "objective1", "--part", "train")
    run("pairs", *params, *chosen, "--targets", targets, "--split", split, "--output", pairs)
    checked = ("--skipped", place / "skipped.csv", "--output", place / "checked.json")
    run("check", *params, "--targets", targets, "--split", split, "--pairs", pairs, *checked)
    return place


def test_every_kind_is_read_rightly(made: Path) -> None:
    colours = {"plain0": BLUE, "grey": (67, 67, 67), "clear": (255, 255, 255), "ink": BLUE, "deep": (77, 77, 77)}
    images = read_images(made / "targets.parquet", "target", list(colours))
    for (name, colour), image in zip(colours.items(), images, strict=True):
        assert np.abs(image[64, 64].astype(int) - colour).max() <= 3, name
    upright = read_images(made / "targets.parquet", "target", ["turned"])[0].astype(int)
    assert upright[4, 64, 0] > 200
    assert upright[124, 64, 2] > 150


def test_what_is_of_no_use_is_listed_with_its_reason_and_counted(made: Path) -> None:
    left = pd.read_csv(made / "skipped.csv")
    kinds = dict(zip(left["id"], left["reason"].str.partition(":")[0], strict=True))
    assert kinds == {
        "cut": "truncated",
        "empty": "unreadable",
        "notes.txt": "no photograph",
        "nowhere": "unreadable",
        "page": "unreadable",
        "pipe": "unreadable",
        "tiny": "too small",
    }
    counts = json.loads((made / "checked.json").read_text())
    assert (counts["photographs"], counts["skipped"]) == (9, 6)
    assert sum(counts["parts"].values()) == 9


def test_state_of_a_folder_follows_its_images_alone(folder: Path) -> None:
    before = folder_state(folder)
    (folder / "more.txt").write_text("no image")
    assert folder_state(folder) == before
    os.utime(folder / "grey.png", (1, 1))
    touched = folder_state(folder)
    Pillow.new("RGB", (90, 90)).save(folder / "zz.png")
    assert len({before, touched, folder_state(folder), folder_state(folder / "absent")}) == 4
