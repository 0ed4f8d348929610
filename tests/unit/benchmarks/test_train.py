"""The training benchmark runs through, whatever one of its variants does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_benchmark_runs_on_a_cpu_with_small_networks(tmp_path: Path) -> None:
    output = tmp_path / "train.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "train.py"), "--tiny", "--output", str(output)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())["variants"]
    assert set(found) == {f"{name}, batch 2" for name in ("fp32 plain loop", "bf16 eager", "tf32 eager")}
    assert all(variant["images_per_s"] > 0 for variant in found.values())
    assert "times the fp32 plain loop" in done.stdout
