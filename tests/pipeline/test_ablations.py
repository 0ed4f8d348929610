"""A short training that differs in one thing, through the graph on the data of another run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.running import run

pytestmark = pytest.mark.slow

PLAN = """
common: {train: {progressive: {epochs: 1}}, track: {uri: ""}}
variants:
  - name: without attention
    objective: objective1
    changes: {train: {progressive: {objective1: {attention: {final: [0, 0, 0]}}}}}
"""


def test_a_variant_trains_on_the_data_of_another_run_and_gets_its_row(first_run: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    targets = first_run / "data/targets.parquet"
    before = targets.stat().st_mtime_ns
    command = [sys.executable, "benchmarks/ablations.py", "--plan", tmp_path / "plan.yaml", "--data", first_run]
    command += ["--configfile", "config/tiny.yaml", first_run / "smaller.yaml", "--cores", "2"]
    command += ["--directory", tmp_path / "ablations", "--output", tmp_path / "table"]
    run([str(word) for word in command], BLINDFACE_CACHE=str(first_run / "cache"))
    (row,) = json.loads((tmp_path / "table.json").read_text())
    assert row["name"] == "without attention"
    assert row["metrics"]["PSNR ↑"] > 0
    assert row["sha256"] != json.loads((first_run / "data/models/progressive1/run.json").read_text())["weights_sha256"]
    assert "| without attention |" in (tmp_path / "table.md").read_text()
    log = (tmp_path / "ablations/without-attention/snakemake.log").read_text()
    assert "3 of 3 steps (100%) done" in log  # train, restore, evaluate: the data is not made again
    assert targets.stat().st_mtime_ns == before
