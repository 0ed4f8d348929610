"""The benchmarks of training speed run, take the experiment's parameters, and keep what they measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(script: str, *options: str | Path) -> str:
    command = [sys.executable, ROOT / "benchmarks" / script, "--tiny", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_speed_of_training_is_that_of_the_parameters_networks(tmp_path: Path) -> None:
    work = []
    for params in ((), ("--params", ROOT / "config/tuned.yaml")):
        found = tmp_path / "speed.json"
        printed = run("train.py", "--objective", "objective2", "--variants", "bf16 eager", "--output", found, *params)
        result = json.loads(found.read_text())
        (rate,) = [variant["images_per_s"] for variant in result["variants"].values()]
        assert list(result["variants"]) == ["bf16 eager, batch 2"]
        assert f"{rate:.2f} img/s" in printed
        work.append(result["gflop_per_image"])
    assert work[1] > work[0]  # the residual encoder's shortcuts cost arithmetic


def test_scaling_tells_the_speed_of_one_before_that_of_all(tmp_path: Path) -> None:
    found = tmp_path / "scaling.json"
    printed = run("scaling.py", "--output", found, "--statistics", "process").splitlines()
    result = json.loads(found.read_text())
    assert printed[0].startswith(f"1 of 1: {result['images_per_s_alone']:.2f} images/s")
    assert result["ratio"] == pytest.approx(result["images_per_s_together"] / result["images_per_s_alone"])
