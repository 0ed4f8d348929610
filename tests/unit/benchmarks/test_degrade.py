"""The benchmark of the degradation runs through and prints what it promises."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "degrade_benchmark", Path(__file__).parents[3] / "benchmarks/degrade.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_speed_is_printed_against_the_plain_loop(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.measure_speed(*benchmark.synthetic(4), workers=2, rounds=1)
    rows = [line.strip("|").split("|") for line in capsys.readouterr().out.splitlines() if line.count("|") == 5]
    assert [row[0].strip() for row in rows] == ["objective", "---", "objective1", "objective2", "both"]
    for _, plain, ours, ratio in rows[2:]:
        assert float(ours) / float(plain) == pytest.approx(float(ratio), rel=0.1, abs=0.02)


@pytest.mark.parametrize("shards", [1, 2])
def test_stages_run_in_shards_and_whole(
    benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], shards: int
) -> None:
    for stage in benchmark.STAGES:
        benchmark.run_stage(stage, tmp_path, 330, 2, shards)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" images in ")[0] for line in lines] == [
        *("targets: 330", "split: 330", "objective1: 330", "objective2: 330", "check: 660"),
    ]
    assert all("peak memory" in line for line in lines)
    if shards == 1:
        benchmark.measure_all(tmp_path / "targets.parquet", 2)
        assert "both objectives of all 330 targets with 2 workers" in capsys.readouterr().out
