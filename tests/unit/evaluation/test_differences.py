"""Methods compared image by image: what is compared, what is left out and said, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import blindface.cli  # noqa: F401
from blindface.base.errors import InputError
from blindface.base.image_table import ImageTableWriter
from blindface.cli.app import app
from blindface.evaluation.differences import compare_methods

IDS = ["00000", "NA", "c"]


def table(path: Path, method: str, objective: str | None, backend: str = "fan", **values: list[float]) -> Path:
    better = json.dumps(dict.fromkeys(values, "higher"))
    about = {"method": method, "better": better, "parameters": json.dumps({"landmarks": {"backend": backend}})}
    about |= {"objective": objective} if objective else {}
    columns = {"id": pa.string(), **dict.fromkeys(values, pa.float64())}
    with ImageTableWriter(path / f"{method}.parquet", columns, metadata=about) as writer:
        writer.append({"id": IDS, **values}, {})
    return path / f"{method}.parquet"


def compare(place: Path, *tables: Path, **more: str) -> pd.DataFrame:
    compare_methods(tables, {}, place / "out.csv", **more)
    return pd.read_csv(place / "out.csv", keep_default_na=False)


def test_a_metric_that_one_table_lacks_is_a_row_without_numbers_and_said(tmp_path: Path) -> None:
    first = table(tmp_path, "first", "objective2", psnr=[1, 2, 3], lpips_vgg=[1, 1, 1])
    second = table(tmp_path, "second", "objective2", psnr=[2, 3, 5], lpips_squeeze=[1, 1, 1])
    compared = compare_methods([first, second], {}, tmp_path / "out.csv")
    assert compared.differences == 1
    assert compared.left_out == ("second and first: without lpips_squeeze, lpips_vgg, which not both have",)
    rows = pd.read_csv(tmp_path / "out.csv").set_index("metric")
    assert rows.loc["psnr", ["images", "difference"]].tolist() == [3, pytest.approx(4 / 3, abs=1e-6)]
    assert rows.loc["lpips_vgg", "images"] == 0
    assert pd.isna(rows.loc["lpips_vgg", "difference"])


def test_a_landmark_distance_by_another_network_is_no_reference(tmp_path: Path) -> None:
    first = table(tmp_path, "first", "objective2", "fan", psnr=[1, 2, 3], landmark_distance=[1, 1, 1])
    second = table(tmp_path, "second", "objective2", "pfld", psnr=[1, 2, 4], landmark_distance=[1, 1, 1])
    assert compare(tmp_path, first, second).set_index("metric").loc["landmark_distance", "images"] == 0


def test_methods_of_different_blind_images_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    tables = [table(tmp_path, f"m{number}", f"objective{number}", psnr=[1, 2, 3]) for number in (1, 2)]
    given = [word for path in tables for word in ("--images", str(path))]
    outcome = CliRunner().invoke(app, ["compare", *given, "--output", str(tmp_path / "out.csv")])
    assert isinstance(outcome.exception, InputError)  # which ends with status 2
    assert "no two methods restored the same blind images (m1: objective1; m2: objective2)" in str(outcome.exception)
    assert not (tmp_path / "out.csv").exists()


def test_published_values_are_a_reference_of_their_own_name(tmp_path: Path) -> None:
    mine = table(tmp_path, "progressive2", "objective2", psnr=[2, 4, 6])
    rows = [{"id": name, "method": f"objective{n}", "psnr": n, "niqe": ""} for n in (1, 2) for name in IDS]
    pd.DataFrame(rows).to_csv(tmp_path / "per_image.csv", index=False, encoding="utf-8-sig")
    outcome = CliRunner().invoke(
        app,
        [
            *("compare", "--images", str(tmp_path / "per_image.csv"), "--images", str(mine)),
            *("--output", str(tmp_path / "out.csv")),
        ],
    )
    assert outcome.exit_code == 0, outcome.exception
    (row,) = pd.read_csv(tmp_path / "out.csv").to_dict("records")
    assert (row["method"], row["reference"]) == ("progressive2", f"objective2 of {tmp_path / 'per_image.csv'}")
    assert (row["objective"], row["images"], row["difference"]) == ("objective2", 3, 2)


def test_a_reference_is_what_all_others_are_compared_with(tmp_path: Path) -> None:
    tables = [table(tmp_path, name, "objective2", psnr=[1, 2, 3]) for name in ("a", "b", "c")]
    found = compare(tmp_path, *tables, reference="b")
    assert list(zip(found["method"], found["reference"], strict=True)) == [("a", "b"), ("c", "b")]
    with pytest.raises(InputError, match="no table is of the reference d: the tables are of a, b, c"):
        compare(tmp_path, *tables, reference="d")


def test_an_option_that_contradicts_the_table_is_refused(tmp_path: Path) -> None:
    theirs = table(tmp_path, "theirs", "objective2", psnr=[1, 2, 3])
    with pytest.raises(InputError, match="says that theirs restored the images of objective2, not of objective1"):
        compare_methods([theirs], {"theirs": "objective1"}, tmp_path / "out.csv")


def test_the_example_of_the_option_is_the_right_way_round(tmp_path: Path) -> None:
    theirs = table(tmp_path, "theirs", None, psnr=[1, 2, 3])
    words = ["compare", "--images", str(theirs), "--output", str(tmp_path / "out.csv"), "--external", "theirs"]
    assert "for example theirs=objective1" in str(CliRunner().invoke(app, words).exception)
