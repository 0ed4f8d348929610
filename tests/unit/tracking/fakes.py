"""A small run's folder, as training leaves it, with a real generator of the narrowest kind."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from blindface.networks.generator import Generator
from blindface.networks.model_file import save_generator

FACTS: dict[str, Any] = {
    "objective": "objective1",
    "params": {
        "train": {
            "epochs": 2,
            "checkpoint_seconds": 60.0,
            "objective1": {"batch_size": 4, "pixel": {"final": [1, 2, 3]}},
        }
    },
    "data": {"targets": "f00", "train": "ba5", "perceptual": None},
    "code": "c0de",
    "overlay": "tiny",
    "degradation": {"kernel": "radius", "objective1": {"u": 16}},
    "versions": {"commit": "abc123-dirty", "torch": "2"},
    "device": {"type": "cpu", "name": "x86_64", "threads": 1},
    "started": "2026-01-02T10:00:00+00:00",
    "images": 88,
    "losses_left_out": {"perceptual": "no weights"},
}
ROWS = [
    {"epoch": 1, "step": 1, "pixel": "0.5", "learning_rate": "0.001", "time": "2026-01-02T10:10:00.250+00:00"},
    {"epoch": 1, "step": 2, "pixel": "0.25", "learning_rate": "0.001", "time": "2026-01-02T10:10:00.250+00:00"},
    {"epoch": 2, "step": 1, "pixel": "1e-07", "learning_rate": "0.0005", "time": "2026-01-02T10:20:00.500+00:00"},
]


def write_rows(folder: Path, count: int = len(ROWS)) -> None:
    with open(folder / ".new", "w", newline="") as file:
        writer = csv.DictWriter(file, ROWS[0])
        writer.writeheader()
        writer.writerows(ROWS[:count])
    (folder / ".new").replace(folder / "history.csv")


def write_sample(folder: Path, epoch: int) -> None:
    (folder / "samples").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "samples" / f"epoch{epoch:05d}.png"), np.full((4, 4, 3), epoch, np.uint8))


def finish_run(folder: Path, objective: str = "objective1") -> None:
    """Generator and record, the last that training writes."""
    torch.manual_seed(3)
    arguments = {"channels": 8, "encoder": "none" if objective == "objective1" else "plain"}
    state = Generator(**arguments).state_dict()
    other = {name: value + 0.1 if value.is_floating_point() else value for name, value in state.items()}
    digest = save_generator(
        folder / "generator.safetensors", {"ema": state, "raw": other}, arguments, objective=objective
    )
    record = {
        **FACTS,
        "objective": objective,
        "finished": "2026-01-02T11:00:00+00:00",
        "seconds": 1200.5,
        "images_per_second": 6.5,
        "validation": {"psnr": 21.25},
        "best_validation_psnr": 21.5,
        "weights_sha256": digest,
    }
    (folder / "run.json").write_text(json.dumps(record))


def make_run(folder: Path, objective: str = "objective1") -> Path:
    """A finished run with history, two samples and two lines of system metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder)
    write_sample(folder, 1)
    write_sample(folder, 2)
    lines = [
        {"time": f"2026-01-02T10:0{minute}:00+00:00", "cpu_utilization_percentage": 50.0 + minute} for minute in (1, 2)
    ]
    (folder / "system.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    finish_run(folder, objective)
    return folder


def scores_of(path: Path, method: str = "objective1", psnr: float = 23.5) -> Path:
    """Scores as `blindface evaluate` writes them, with a metric of images, one of batches and one that is missing."""
    empty = {"image_mean": None, "batch_mean": None}
    metrics = {
        "psnr": {"image_mean": psnr, "batch_mean": 23.0},
        "psnr_batch": {**empty, "batch_mean": 22.75},
        "niqe": {**empty, "unavailable": "no weights"},
    }
    path.write_text(json.dumps({"method": method, "metrics": metrics}))
    return path
