"""The machine while a model trains."""

from __future__ import annotations

import json
import time
from pathlib import Path

from blindface.tracking.record import read_system
from blindface.tracking.system import SystemSampler, parse_gpus, sample_cpu

# As nvidia-smi writes it: another user's card, ours, and one that does not tell its load and power.
LINES = """GPU-aaaa, 99, 1000, 143771, 700.10
GPU-bbbb, 45, 14377, 143771, 350.25
GPU-cccc, [N/A], 512, 1024, [Not Supported]
"""


def test_only_the_gpus_that_pytorch_sees_are_read_and_only_what_they_tell() -> None:
    assert parse_gpus(LINES, {"bbbb": 0, "cccc": 1}) == {
        "gpu_0_utilization_percentage": 45.0,
        "gpu_0_memory_usage_megabytes": 14377.0,
        "gpu_0_memory_usage_percentage": 10.0,
        "gpu_0_power_usage_watts": 350.25,
        "gpu_1_memory_usage_megabytes": 512.0,
        "gpu_1_memory_usage_percentage": 50.0,
    }
    assert parse_gpus("no devices were found\n", {"bbbb": 0}) == {}


def test_load_and_memory_are_within_what_is_possible() -> None:
    values = sample_cpu()
    assert 0 <= values["cpu_utilization_percentage"] <= 100
    assert 0 < values["process_memory_megabytes"] < values["system_memory_usage_megabytes"] * 10


def test_lines_are_added_at_intervals_and_at_the_end_and_one_cut_off_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "system.jsonl").write_text('{"time": "2026-01-02T10:00:00+00:00", "cpu_utiliz\n')
    sampler = SystemSampler(tmp_path, interval=0.05)
    sampler.start()
    while len(read_system(tmp_path / "system.jsonl")) < 3:
        time.sleep(0.01)
    sampler.stop()
    lines = read_system(tmp_path / "system.jsonl")
    assert lines[0] == []
    assert [{point.step for point in line} for line in lines[1:]] == [{place} for place in range(1, len(lines))]
    assert json.loads((tmp_path / "system.jsonl").read_text().splitlines()[-1])["time"].endswith("+00:00")


def test_a_folder_that_vanishes_ends_the_sampling_silently(tmp_path: Path) -> None:
    sampler = SystemSampler(tmp_path / "gone", interval=0.01)
    sampler.start()
    sampler.stop()
    assert not (tmp_path / "gone").exists()
