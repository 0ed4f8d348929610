"""Fresh blind images: the draws of their epoch, by processes that neither outlive nor silently fail the training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch

from blindface.base.errors import TrainingError
from blindface.degradation import degrade_many
from blindface.params import PairsParams
from blindface.training.online import OnlineDegradation

IDS = [f"Rendered_Person_{number:03d}/one" for number in range(5)]
TARGETS = np.random.default_rng(1).integers(0, 256, (5, 128, 128, 3), np.uint8)
CPU = torch.device("cpu")


def test_fresh_blinds_are_the_draws_of_their_epoch() -> None:
    with OnlineDegradation(TARGETS, IDS, "objective1", PairsParams(), epochs=2) as fresh:
        for epoch in (0, 1):
            expected = degrade_many(TARGETS, IDS, "objective1", PairsParams(), epoch)
            assert np.array_equal(fresh.take(epoch, CPU).numpy(), expected)


def test_a_process_of_several_draws_its_own_images_alone() -> None:
    mine = np.array([3, 1])
    with OnlineDegradation(TARGETS, IDS, "objective1", PairsParams(), 1, rows=lambda epoch: mine) as fresh:
        blinds = fresh.take(0, CPU).numpy()
    expected = degrade_many(TARGETS, IDS, "objective1", PairsParams(), 0)
    assert np.array_equal(blinds[mine], expected[mine])
    assert not blinds[[0, 2, 4]].any()


def test_a_killed_drawing_process_is_reported() -> None:
    with OnlineDegradation(TARGETS, IDS, "objective1", PairsParams(), epochs=3) as fresh:
        fresh.take(0, CPU)
        fresh.take(1, CPU)
        for child in psutil.Process().children():
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
        with pytest.raises(TrainingError, match="draws fresh degradations was killed"):
            for _ in range(50):
                time.sleep(0.1)
                fresh.take(2, CPU)


SCRIPT = """
import numpy as np, torch, time
from blindface.params import PairsParams
from blindface.training.online import OnlineDegradation
if __name__ == "__main__":
    targets = np.zeros((1, 128, 128, 3), np.uint8)
    with OnlineDegradation(targets, ["one"], "objective1", PairsParams(), 2) as fresh:
        fresh.take(0, torch.device("cpu"))
        print("ready", flush=True)
        time.sleep(60)
"""


def test_drawing_processes_end_with_a_killed_training(tmp_path) -> None:
    (tmp_path / "run.py").write_text(SCRIPT)
    with subprocess.Popen([sys.executable, str(tmp_path / "run.py")], stdout=subprocess.PIPE, text=True) as training:
        assert training.stdout is not None
        assert training.stdout.readline() == "ready\n"
        children = psutil.Process(training.pid).children(recursive=True)
        assert children
        os.kill(training.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
