"""The table of the calibration on pairs whose error is known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from blindface.base.image_table import ImageTableWriter
from blindface.cli.app import app
from blindface.evaluation.calibration import calibrate, measure


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Path]:
    """Ten grey targets, and blind images that are 4 levels (first five) or 16 levels brighter."""
    names = [f"n{n}" for n in range(10)]
    target = np.random.default_rng(0).integers(0, 200, (10, 128, 128, 3), dtype=np.uint8)
    blind = target + np.array([4] * 5 + [16] * 5, np.uint8)[:, None, None, None]
    targets, pairs = tmp_path / "targets.parquet", tmp_path / "pairs.parquet"
    with ImageTableWriter(targets, {"id": pa.string()}, {"target": (128, 128, 3)}) as writer:
        writer.append({"id": names}, {"target": target})
    metadata = {"objective": "objective2", "parameters": json.dumps({"seed": 7})}
    with ImageTableWriter(pairs, {"id": pa.string()}, {"blind": (128, 128, 3)}, metadata) as writer:
        writer.append({"id": names}, {"blind": blind})
    return targets, pairs


def test_psnr_of_a_batch_is_that_of_its_mean_squared_error(made: tuple[Path, Path]) -> None:
    row = measure(*made, {"objective2": 10}, "linear", "cpu")
    # mean squared error (16 + 256) / 2; per image 20 log10(255 / 4) and 20 log10(255 / 16)
    assert row.batches["psnr_batch"] == pytest.approx([10 * np.log10(255**2 / 136)])
    assert row.batches["psnr"] == pytest.approx([10 * np.log10(255) + 10 * np.log10(255 / 64)])


def test_batches_are_taken_in_order_and_the_last_may_be_shorter(made: tuple[Path, Path]) -> None:
    row = measure(*made, {"objective2": 4}, "linear", "cpu")
    assert len(row.batches["ssim"]) == 3
    assert row.batches["psnr"][0] == pytest.approx(20 * np.log10(255 / 4))
    assert row.batches["psnr"][2] == pytest.approx(20 * np.log10(255 / 16))


def test_the_table_shows_the_papers_row_and_the_parameters(made: tuple[Path, Path], tmp_path: Path) -> None:
    text = calibrate(made[0], [made[1]], tmp_path / "table.md", device="cpu")
    assert text == (tmp_path / "table.md").read_text()
    assert "| paper, objective2 | 2,650 | 16 | 21.1 ± 0.7 |" in text
    assert f"| objective2 | 10 | 16 | {10 * np.log10(255**2 / 136):.2f} ± 0.00 |" in text
    assert '`{"seed": 7}`' in text


def test_commands_make_look_and_check(tmp_path: Path) -> None:
    """The commands of split, pairs, export and check in a row, as a person calls them."""
    import blindface.cli  # noqa: F401  (registers the commands)

    names = [f"P{n:02d}/P{n:02d}_0001" for n in range(20)]
    images = np.random.default_rng(0).integers(0, 256, (20, 128, 128, 3), dtype=np.uint8)
    columns = {"id": pa.string(), "person": pa.string(), "sha256": pa.string()}
    targets, split, pairs = (str(tmp_path / name) for name in ("targets.parquet", "split.csv", "test.parquet"))
    with ImageTableWriter(Path(targets), columns, {"target": (128, 128, 3)}) as writer:
        hashes = [hashlib.sha256(image).hexdigest() for image in images]
        writer.append({"id": names, "person": names, "sha256": hashes}, {"target": images})
    params = ["--params", '{"split": {"validation": 2}}']

    def call(*arguments: str) -> None:
        result = CliRunner().invoke(app, [*arguments, *params] if "export" not in arguments[0] else list(arguments))
        assert result.exit_code == 0, result.output + str(result.exception)

    call("split", "--targets", targets, "--output", split)
    chosen = ["--objective", "objective1", "--part", "test", "--targets", targets, "--split", split]
    call("pairs", *chosen, "--output", pairs, "--shard", "1/1")
    call("export-pairs", "--targets", targets, "--pairs", pairs, "--output", str(tmp_path / "png"))
    assert len(list((tmp_path / "png").rglob("*.png"))) == 4
    call("check", "--targets", targets, "--split", split, "--pairs", pairs, "--output", str(tmp_path / "checked.json"))
    refused = CliRunner().invoke(app, ["pairs", *chosen, "--output", pairs, "--shard", "half", *params])
    assert "--shard must be I/N" in str(refused.exception)
