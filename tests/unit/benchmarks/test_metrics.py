"""The benchmark of the metrics runs and keeps what it measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from blindface.base.files import read_json

ROOT = Path(__file__).parents[3]


def test_a_whole_evaluation_is_measured(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "benchmarks" / "metrics.py")]
    words = ["--images", "4", "--compare", "0", "--json", str(tmp_path / "speed.json")]
    subprocess.run([*program, *words], check=True, capture_output=True, timeout=300)
    whole = read_json(tmp_path / "speed.json")["whole"]
    assert whole["images"] == 4
    assert whole["seconds"] > 0
    assert whole["processor_seconds"] > 0
    assert 0 < whole["resident_gb"] < 4
    assert "lpips_squeeze" in whole["measured"]
    assert {"frechet_face_distance", "identity", "landmark_distance"} <= set(whole["left_out"])
    assert not set(whole["left_out"]) & set(whole["measured"])
