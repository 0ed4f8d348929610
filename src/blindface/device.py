"""Which device computes, and the switches that make it compute the same bits again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from blindface.errors import DeviceError

if TYPE_CHECKING:
    import torch

CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def choose_device(name: str) -> torch.device:
    """The device for `auto` (the GPU where there is one), `cpu` or `cuda`.

    Errors: DeviceError if a GPU is asked for and none can be used.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"device {name!r} is unknown: choose auto, cpu or cuda")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        built = "this PyTorch is built without CUDA" if torch.version.cuda is None else "PyTorch finds no usable GPU"
        raise DeviceError(f"device 'cuda' is asked for but {built}: set device to cpu or auto, or install a driver")
    return torch.device("cuda", torch.cuda.current_device())


def describe_device(device: torch.device) -> dict[str, Any]:
    """Name and size of a device, for the record of a run."""
    import platform

    import torch

    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return {"type": "cuda", "name": properties.name, "memory_gb": round(properties.total_memory / 1e9, 1)}
    return {"type": "cpu", "name": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}


@contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Within the block PyTorch takes deterministic algorithms only; what was set before comes back after it.

    cuBLAS reads its variable when its first handle is made, so the block must be entered before any GPU work.
    """
    import torch

    if not wanted:
        yield
        return
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        os.environ.get(CUBLAS_WORKSPACE),
    )
    os.environ.setdefault(CUBLAS_WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before[1], before[2]
        if before[3] is None:
            os.environ.pop(CUBLAS_WORKSPACE, None)
