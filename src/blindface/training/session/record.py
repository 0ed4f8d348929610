"""What identifies a run, and the record `run.json` that a finished one leaves."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch

from blindface import __version__
from blindface.base.code import digest_code
from blindface.base.device import describe_device
from blindface.base.files import sha256_file, write_json
from blindface.base.version import find_commit
from blindface.networks import count_parameters
from blindface.params import OBJECTIVES, RecipeName
from blindface.params.training import decisive
from blindface.training.recipes import Recipe
from blindface.training.session.position import Progress, now
from blindface.training.task import Task

FORMAT = 3
"""Raised when checkpoints of older code can no longer be continued."""


def identify(task: Task, files: Mapping[str, Path | None]) -> dict[str, Any]:
    """What decides the weights: format, recipe, objective, parameters, and the hashes of what is read.

    The degradation is left out unless it is drawn anew at every epoch.
    """
    chosen = {"train": decisive(task.params.model_dump(mode="json"), task.recipe, task.objective)}
    if task.block.degradation == "fresh":
        pairs = task.pairs.model_dump(mode="json")
        chosen["pairs"] = {key: value for key, value in pairs.items() if key not in OBJECTIVES or key == task.objective}
    data = {name: None if path is None else sha256_file(path) for name, path in files.items()}
    return {"format": FORMAT, "recipe": task.recipe, "objective": task.objective, "params": chosen, "data": data}


def versions() -> dict[str, str | None]:
    """Versions of what computes, and the commit of the code where it lies in a repository."""
    import cv2
    import numpy as np

    return {
        "blindface": __version__,
        "commit": find_commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def hash_code(recipe: RecipeName) -> str:
    """SHA-256 of the code that decides the weights, so that a finished run of other code is told apart."""
    return digest_code("train", recipe)


def write_results(
    output: Path, recipe: Recipe, facts: Mapping[str, Any], progress: Progress, device: torch.device
) -> None:
    """Write the generator and then the record, whose presence says that the run is finished.

    facts: what the record begins with, the identity among it.
    """
    digest = recipe.save(output / "generator.safetensors")
    rows = progress.rows
    rates = [row["images_per_second"] for row in rows if row["step"] == recipe.steps[0]]
    last = {name: rows[-1][name] for name in ("psnr", "ssim", "lpips_squeeze") if rows and name in rows[-1]}
    record = {
        **facts,
        "device": describe_device(device),
        "started": progress.started,
        "finished": now(),
        "seconds": round(progress.seconds, 3),
        "images_per_second": round(median(rates), 3) if rates else None,
        **{f"{name}_parameters": count_parameters(network) for name, network in recipe.networks().items()},
        "validation": last,
        "best_validation": progress.best,
        "weights_sha256": digest,
    }
    write_json(output / "run.json", record)
