"""A trained generator as a small file for others: the averaged weights in half precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from blindface.base.errors import InputError
from blindface.base.files import read_json, sha256_file, write_json
from blindface.base.image_table import read_table
from blindface.networks.model_file import halve, load_generator, read_header, save_generator

CHECKED_IMAGES = 64
"""Test images whose metrics are kept beside the file."""


def publish_model(folder: Path, scores: Path, output: Path) -> str:
    """Write `output`, a generator file with half-precision averaged weights, and beside it its record as JSON.

    folder: of the trained model (generator.safetensors, run.json); scores: the per-image table of its method on the
    test part. Returns the SHA-256 of the file. Errors: InputError if a file is missing, or if half precision cannot
    hold the weights.
    """
    folder = Path(folder)
    source = folder / "generator.safetensors"
    header, run = read_header(source), read_json(folder / "run.json")
    state = load_generator(source, "ema").state_dict()
    _refuse_overflow(source, state)
    halves = {name: halve(tensor) for name, tensor in state.items()}
    save_generator(
        output, {"ema": halves}, header["arguments"], objective=run["objective"], trained=run["weights_sha256"]
    )
    digest = sha256_file(output)
    write_json(output.with_suffix(".json"), {"sha256": digest, "images": _few(scores)})
    return digest


def _refuse_overflow(path: Path, state: Mapping[str, Tensor]) -> None:
    largest = torch.finfo(torch.float16).max
    for name, tensor in state.items():
        if not bool(torch.isfinite(tensor).all()) or (tensor.dim() > 1 and bool((tensor.abs() > largest).any())):
            raise InputError(f"{path} has values in {name} that half precision cannot hold: train the model again")


def _few(scores: Path) -> dict[str, dict[str, Any]]:
    """The metrics of images spread evenly over the sorted ids."""
    table = read_table(scores).sort_values("id")
    step = max(len(table) // CHECKED_IMAGES, 1)
    chosen = table.iloc[::step].head(CHECKED_IMAGES).set_index("id")
    numbers = chosen.select_dtypes("number").astype(float).round(4)
    return {
        str(name): {key: value for key, value in row.items() if value == value}
        for name, row in numbers.to_dict("index").items()
    }
