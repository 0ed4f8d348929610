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
from blindface.networks.model_file import save_generator
from blindface.params import Objective, PairsParams, TrainParams
from blindface.training.session.position import Progress, now
from blindface.training.state import TrainingState

FORMAT = 2
"""Raised when checkpoints of older code can no longer be continued."""


def identify(
    params: TrainParams, objective: Objective, pairs: PairsParams, files: Mapping[str, Path | None]
) -> dict[str, Any]:
    """What decides the weights: format, objective, its parameters, and the hashes of what is read.

    The other objective's block is left out, and the degradation's unless it is drawn anew at every epoch.
    """
    other = "objective2" if objective == "objective1" else "objective1"
    chosen = {"train": params.model_dump(mode="json", exclude={other})}
    if params.degradation == "fresh":
        chosen["pairs"] = pairs.model_dump(mode="json", exclude={other})
    data = {name: None if path is None else sha256_file(path) for name, path in files.items()}
    return {"format": FORMAT, "objective": objective, "params": chosen, "data": data}


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


def hash_code() -> str:
    """SHA-256 of the code that decides the weights, so that a finished run of other code is told apart."""
    return digest_code("train")


def write_results(
    output: Path, state: TrainingState, facts: Mapping[str, Any], progress: Progress, device: torch.device
) -> None:
    """Write the generator and then the record, whose presence says that the run is finished.

    facts: what the record begins with, the identity among it.
    """
    path = output / "generator.safetensors"
    weights = {"ema": state.average.state_dict(), "raw": state.generator.state_dict()}
    digest = save_generator(path, weights, state.generator.arguments, objective=facts["objective"])
    rows = progress.rows
    rates = [row["images_per_second"] for row in rows if row["step"] == 1]
    last = {name: rows[-1][name] for name in ("psnr", "ssim", "lpips_squeeze") if rows and name in rows[-1]}
    record = {
        **facts,
        "device": describe_device(device),
        "started": progress.started,
        "finished": now(),
        "seconds": round(progress.seconds, 3),
        "images_per_second": round(median(rates), 3) if rates else None,
        "generator_parameters": count_parameters(state.generator),
        "discriminator_parameters": count_parameters(state.discriminator),
        "validation": last,
        "best_validation": progress.best,
        "weights_sha256": digest,
    }
    write_json(output / "run.json", record)
