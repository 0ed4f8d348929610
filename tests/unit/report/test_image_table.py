"""The one table of all images and methods: its rows, their order, its numbers, and its bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from blindface.params import validate
from blindface.report import Sources
from blindface.report.inputs.material import Material, gather
from blindface.report.text.image_table import image_frame, write_image_table
from tests.unit.report.inputs import write_inputs

ORDER = ["blind1", "progressive1", "sequence", "blind2", "progressive2"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return write_inputs(tmp_path_factory.mktemp("inputs"), 10, 1)


@pytest.fixture(scope="module")
def table(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_image_table(gather(sources), folder, photographs=True)
    return folder / "per_image.csv"


def test_one_row_per_method_and_image_in_the_order_of_the_table(sources: Sources, table: Path) -> None:
    frame = pd.read_csv(table)
    ids = sorted(pd.read_parquet(sources.images[0])["id"])
    assert list(zip(frame["method"], frame["id"], strict=True)) == [(name, one) for name in ORDER for one in ids]
    assert list(frame.columns[:3]) == ["id", "method", "psnr"]


def test_numbers_are_those_of_the_scores_to_five_digits(sources: Sources, table: Path) -> None:
    frame = pd.read_csv(table)
    for path in sources.images:
        wanted = pd.read_parquet(path).sort_values("id").set_index("id")
        found = frame[frame["method"] == path.stem].set_index("id")[wanted.columns]
        # half of the fifth digit is at most 5e-5 of the number
        np.testing.assert_allclose(found.to_numpy(), wanted.to_numpy(), rtol=5.0001e-5)


def test_means_are_those_of_the_reports_own_table(sources: Sources, table: Path) -> None:
    means = pd.read_csv(table).groupby("method").mean(numeric_only=True)
    compared = 0
    for score in gather(sources).scores.values():
        for metric in score.metrics.values():
            if metric.image_mean is not None:
                assert means.loc[score.method, metric.name] == pytest.approx(metric.image_mean, rel=5e-5), metric.name
                compared += 1
    assert compared == len(ORDER) * 5


def test_the_order_in_which_methods_are_given_changes_no_byte(sources: Sources, table: Path, tmp_path: Path) -> None:
    write_image_table(gather(replace(sources, images=sources.images[::-1])), tmp_path, photographs=True)
    assert (tmp_path / "per_image.csv").read_bytes() == table.read_bytes()


def test_external_methods_stand_with_those_of_their_inputs_and_lack_what_they_lack(tmp_path: Path) -> None:
    ours = pd.DataFrame({"id": ["b", "a"], "psnr": [20.0, 100.0], "niqe": [np.nan, 5.123456]})
    theirs = pd.DataFrame({"id": ["a", "b"], "psnr": [21.0, 0.00001234567]})
    params = validate({"restore": {"external": [{"name": "theirs", "objective": "objective1", "folder": "there"}]}})
    frames = {"blind2": ours, "theirs": theirs, "progressive1": ours}
    write_image_table(Material(Sources(params), per_image=frames), tmp_path, photographs=True)
    assert (tmp_path / "per_image.csv").read_text().splitlines() == [
        "id,method,psnr,niqe",
        *("a,progressive1,100,5.1235", "b,progressive1,20,"),
        *("a,theirs,21,", "b,theirs,1.2346e-05,"),
        *("a,blind2,100,5.1235", "b,blind2,20,"),
    ]


def test_no_image_gives_a_table_without_rows() -> None:
    frame = image_frame(Material(Sources(validate({}))))
    assert list(frame.columns) == ["id", "method"]
    assert frame.empty
