"""The trained generator as a file: `generator.safetensors`, read without unpickling anything.

Keys: `ema.*`, the moving average of the weights with batch statistics measured anew, and `raw.*`, the last weights.
The header's one entry `blindface` is JSON: `arguments` (of the constructor), `objective`, `recipe` (without it
progressive), and what the writer adds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from blindface.base.errors import InputError
from blindface.base.files import atomic_path
from blindface.networks.flow_restorer import FlowRestorer
from blindface.networks.generator import Generator
from blindface.networks.unet import RestorationUNet

HEADER = "blindface"
KINDS = ("ema", "raw")
Restoring = Generator | RestorationUNet | FlowRestorer
"""What restores: it has `input_size`, `arguments` and `restore(blind, ids)`, which gives the images of all steps."""
NETWORKS: dict[str, type[Restoring]] = {
    "progressive": Generator,
    "mean": RestorationUNet,
    "gan": RestorationUNet,
    "flow": FlowRestorer,
}
"""The network of each recipe."""


def save_generator(
    path: Path, weights: Mapping[str, Mapping[str, Tensor]], arguments: Mapping[str, Any], **more: Any
) -> str:
    """Write the file atomically and return the SHA-256 of its tensors.

    weights: state dicts by kind, `ema` and `raw`; arguments: of the constructor; more: JSON values for the header.
    The same tensors give the same bytes.
    """
    tensors = {
        f"{kind}.{name}": tensor.detach().cpu().contiguous().clone()
        for kind, state in weights.items()
        for name, tensor in state.items()
    }
    header = {"arguments": dict(arguments), **more}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={HEADER: json.dumps(header, sort_keys=True)})
    return hash_tensors(tensors)


def read_header(path: Path) -> dict[str, Any]:
    """The header of a generator file. Errors: InputError if the file is missing or not such a file."""
    if not Path(path).is_file():
        raise InputError(f"model {path} is missing: train it with `blindface train`, or give another path")
    try:
        with safe_open(path, "pt", device="cpu") as file:
            header = json.loads((file.metadata() or {})[HEADER])
            if not isinstance(header.get("arguments"), dict):
                raise KeyError("arguments")
            return dict(header)
    except (SafetensorError, OSError, KeyError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} is not a generator file of Blindface ({error}): train the model again, or give another path"
        ) from error


def load_generator(path: Path, weights: str = "ema", device: torch.device | str = "cpu") -> Restoring:
    """The generator of a file, of any recipe, in evaluation mode, float32, on `device`; half precision is widened.

    weights: `ema` or `raw`. Errors: InputError if the file is missing, broken or does not hold such weights.
    """
    header = read_header(path)
    if weights not in KINDS:
        raise InputError(f"weights {weights!r} are unknown: choose ema or raw")
    try:
        network = NETWORKS[header.get("recipe", "progressive")](**header["arguments"])
        with safe_open(path, "pt", device="cpu") as file:
            names = [name for name in file.keys() if name.startswith(f"{weights}.")]  # noqa: SIM118
            state = {name.partition(".")[2]: file.get_tensor(name) for name in names}
        if not state:
            raise KeyError(f"no weights {weights!r}")
        network.load_state_dict({name: _widen(tensor) for name, tensor in state.items()})
    except (TypeError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} holds no fitting generator ({reason}): train the model again") from error
    return network.to(device).eval().requires_grad_(False)


def halve(tensor: Tensor) -> Tensor:
    """Kernels in half precision; vectors (biases, batch statistics), which weigh nothing in the file, as they are."""
    return tensor.half() if tensor.is_floating_point() and tensor.dim() > 1 else tensor


def _widen(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in order of the names: equal if and only if all bits are."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
