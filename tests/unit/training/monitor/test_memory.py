"""What is advised when the GPU's memory does not suffice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from blindface.params import PairsParams, TrainParams, validate
from blindface.training.monitor import memory
from blindface.training.monitor.memory import fitting_batch
from blindface.training.monitor.work import count_work, fixed_bytes, without_values
from blindface.training.task import Task, TrainFiles


def test_what_is_advised_fits_by_the_plans_estimate() -> None:
    assert fitting_batch(64, 1e9, 24.5e9, 1) == 24
    assert fitting_batch(64, 1e9, 12.25e9, 2) == 24
    # The estimate has been too low: it says that what failed fits
    assert fitting_batch(64, 1e9, 1e15, 1) == 32
    assert fitting_batch(64, 1e9, -1e9, 1) == 0


def test_advice_names_memory_batch_and_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1_000_000_000, 2_000_000_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 500_000_000)
    monkeypatch.setattr(memory, "count_rows", lambda path: 100)
    block = {"generator_channels": 8, "discriminator_channels": 4, "objective1": {"batch_size": 4096}}
    values = {"precision": "fp32", "perceptual": {"backbone": "none"}, "progressive": block}
    params: TrainParams = validate({"train": values}).train
    files, device = TrainFiles(tmp_path, tmp_path), torch.device("cpu")
    text = memory.advise(Task(params, "progressive", "objective1", PairsParams(), files, tmp_path, device))
    assert text.startswith("the 1.5 GB of the GPU do not suffice to train progressive1 with batches of 4096: set ")
    found = re.search(r"batch_size to (\d+), or train.precision to bf16", text)
    assert found is not None
    recipe = without_values(params, "progressive", "objective1")
    _, per_image = count_work(recipe)
    left = memory.HEADROOM * 1.5e9 - fixed_bytes(recipe, 100)
    assert int(found[1]) * per_image <= left < (int(found[1]) + 1) * per_image
