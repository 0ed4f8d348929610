"""Two reports held against each other."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import blindface.cli  # noqa: F401
from blindface.base.errors import InputError
from blindface.cli.app import app
from blindface.evaluation.difference import difference_of


def write(folder, name, content):
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def test_only_values_that_differ_are_shown(tmp_path):
    before = write(
        tmp_path, "a.json", {"objective1": {"images": 24, "psnr": 20.0, "niqe": None}, "blind1": {"psnr": 19}}
    )
    after = write(
        tmp_path, "b.json", {"objective1": {"images": 24, "psnr": 20.5, "niqe": 7.25}, "blind1": {"psnr": 19}}
    )
    assert difference_of(before, after).splitlines() == [
        "| Method | Metric | Before | After | Difference |",
        "|---|---|---:|---:|---:|",
        "| progressive1 | niqe | n/a | 7.25 |  |",
        "| progressive1 | psnr | 20 | 20.5 | +0.5 |",
        "",
        "2 of 4 values are the same.",
    ]


def test_equal_reports_need_no_table(tmp_path):
    path = write(tmp_path, "a.json", {"blind1": {"psnr": 19}})
    result = CliRunner().invoke(app, ["difference", str(path), str(path)])
    assert result.output == "1 of 1 values are the same.\n"


@pytest.mark.parametrize("content", [[1], {"objective1": 3}])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = write(tmp_path, "a.json", content)
    with pytest.raises(InputError, match=r"a\.json does not hold metrics by method"):
        difference_of(path, path)
