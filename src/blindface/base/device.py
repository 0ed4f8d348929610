"""Which device computes, and the switches that make it compute the same bits again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from blindface.base.errors import DeviceError

if TYPE_CHECKING:
    import torch

    from blindface.base.numerics import Precision

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
def numeric_policy(precision: Precision, deterministic: bool) -> Iterator[None]:
    """Within the block PyTorch computes by `numerics.set_policy`; the switches as they were come back after it.

    cuBLAS reads its variable when its first handle is made, so the block is entered before any GPU work.
    """
    import torch

    from blindface.base.numerics import set_policy

    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    switches = (matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic)
    only_deterministic = torch.are_deterministic_algorithms_enabled()
    workspace = os.environ.get(CUBLAS_WORKSPACE)
    set_policy(precision, deterministic)
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = switches
        torch.use_deterministic_algorithms(only_deterministic)
        if workspace is None:
            os.environ.pop(CUBLAS_WORKSPACE, None)
