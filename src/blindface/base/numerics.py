"""The numeric policy, set in one visible place: TF32, autocast, and what reproducibility to the bit takes."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["fp32", "tf32", "bf16"]


def set_policy(precision: Precision, deterministic: bool) -> None:
    """Set PyTorch's process-wide switches.

    fp32: float32 throughout. tf32: products of matrices and convolutions read 10 bits of the mantissa, sums in float32.
    bf16: TF32 for what stays in float32; see `autocast`. deterministic: no algorithm whose sums depend on timing, no
    choice of algorithms by their speed.
    """
    fast = precision != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = fast
    torch.backends.cudnn.allow_tf32 = fast
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.deterministic = deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """The context in which networks run: bfloat16 products on a GPU if so chosen; on the CPU float32 always."""
    use = precision == "bf16" and device.type == "cuda"
    # Without the cache of casted weights: it would hand tensors of one gradient transform to the next.
    if device.type == "meta":  # where work is counted and nothing computed
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=use, cache_enabled=False)


def in_full(x: Tensor) -> Tensor:
    """Half precision (autocast's) to float32, in which sums and norms are taken; float32 and float64 as they are."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
