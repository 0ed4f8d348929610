"""What Snakemake shows about the graph, and that touching or pulling a file reruns nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.running import jobs_of, run, snakemake

MICRO = str(Path(__file__).parent / "micro.yaml")


def test_the_picture_of_the_graph_has_every_rule(tmp_path):
    text = snakemake("--cores", "1", "--dag", "--", "reports/metrics.md", directory=tmp_path).stdout
    assert text.startswith("digraph")
    for rule in ("fetch_photographs", "degrade", "train", "write_report"):
        assert rule in text
    run(["snakemake", "--cores", "1", "--directory", str(tmp_path), "--rulegraph", "--", "models"])


def test_named_targets_stop_where_they_say(tmp_path):
    data = jobs_of(snakemake("-n", "data", directory=tmp_path))
    models = jobs_of(snakemake("-n", "models", directory=tmp_path))
    assert data["check_data"] == models["check_data"] == 2
    assert "train" not in data
    assert models["train"] == 2
    assert "evaluate" not in models


@pytest.mark.slow
def test_touched_files_rerun_nothing_and_changed_ones_what_reads_them(tmp_path):
    words = ("--configfile", MICRO, "--", "data/split.csv")
    snakemake(*words, directory=tmp_path)
    targets = tmp_path / "data/targets.parquet"
    os.utime(tmp_path / "data/raw/photographs.archive")
    assert jobs_of(snakemake("-n", *words, directory=tmp_path)) == {}
    os.utime(targets)
    summary = snakemake("--summary", *words, directory=tmp_path).stdout
    rows = [line.split("\t") for line in summary.splitlines()]
    assert {(row[0], row[-1]) for row in rows[1:]} >= {("data/split.csv", "no update")}
    with targets.open("ab") as file:
        file.write(b"\0")
    assert jobs_of(snakemake("-n", *words, directory=tmp_path)) == {"split": 1}
