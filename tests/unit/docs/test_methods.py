"""The worked example of docs/methods.md is run as it stands there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

import blindface.cli  # noqa: F401  (registers the commands)
from blindface.base import image_table
from blindface.base.files import write_json
from blindface.cli.app import app
from blindface.params import validate
from tests.unit.pictures import noisy, textured

TEXT = (Path(__file__).parents[3] / "docs" / "methods.md").read_text()
COUNT = 6


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the data that the example starts from; no weights are there."""
    ids, targets = [f"Jane_Doe/Jane_Doe_{number:04d}" for number in range(COUNT)], textured(COUNT)
    for path, column, images in (
        ("data/targets.parquet", "target", targets),
        ("data/pairs/objective2/test.parquet", "blind", noisy(targets, 25)),
    ):
        with image_table.ImageTableWriter(tmp_path / path, {"id": pa.string()}, {column: images.shape[1:]}) as writer:
            writer.append({"id": ids}, {column: images})
    points = [np.zeros(size, np.float32) for size in (136, 68 * 2)]
    kinds = dict.fromkeys(("points_128", "points_64"), pa.list_(pa.float32(), 136))
    with image_table.ImageTableWriter(
        tmp_path / "data/landmarks.parquet", {"id": pa.string(), "found": pa.bool_(), **kinds}
    ) as writer:
        columns = {name: [stack] * COUNT for name, stack in zip(kinds, points, strict=True)}
        writer.append({"id": ids, "found": [True] * COUNT, **columns}, {})
    names = ("vgg16", "niqe", "inception", "mobilefacenet", "fan2d4")
    missing = {"files": {name: {"missing": f"{name} was not fetched"} for name in names}}
    write_json(tmp_path / "data/weights/evaluate/manifest.json", missing)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_gives_numbers_and_differences(place: Path) -> None:
    export, score, compare = blocks("sh")
    (program,) = blocks("python")
    printed = run(export)
    assert len(list((place / "blind").rglob("*.png"))) == COUNT
    exec(compile(program, "docs/methods.md", "exec"), {})
    printed += run(score)
    assert "theirs, 6 images" in printed
    assert "n/a: vgg16 was not fetched" in printed
    run(compare)
    table = pd.read_csv(place / "differences.csv").set_index("metric")
    assert set(table["method"]) == {"theirs"}
    # a median filter takes noise away: by its score files and image by image
    scores = {
        name: json.loads((place / f"{name}.json").read_text())["metrics"]["psnr"] for name in ("theirs", "blind2")
    }
    difference = scores["theirs"]["image_mean"] - scores["blind2"]["image_mean"]
    assert table.loc["psnr", "difference"] == pytest.approx(difference, abs=1e-5)
    assert 0 < table.loc["psnr", "low"] < table.loc["psnr", "difference"] < table.loc["psnr", "high"]
    assert table.loc["psnr", "larger"] == 1


def run(block: str) -> str:
    """Run every line of a block in this process, each of which must succeed; what they printed."""
    printed = ""
    for line in block.strip().splitlines():
        program, *words = shlex.split(line)
        assert program == "blindface"
        outcome = CliRunner().invoke(app, words)
        assert outcome.exit_code == 0, f"{line}\n{outcome.output}{outcome.exception}"
        printed += outcome.output
    return printed


def test_the_entry_among_the_parameters_is_valid() -> None:
    (entry,) = blocks("yaml")
    assert validate(yaml.safe_load(entry)).restore.external[0].name == "theirs"
