"""The adapter of pyiqa, the only module that imports it: an independent reference for tests and the benchmark.

pyiqa may be used for non-commercial purposes only and is an optional extra; no stage needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch

from blindface.base.errors import InputError
from blindface.base.images import to_unit
from blindface.metrics.stacks import Stack, as_stack

Name = Literal["psnr", "ssim", "ssimc", "ms_ssim", "niqe"]
"""pyiqa's names: psnr and ssimc are RGB; ssim, ms_ssim and niqe are Y."""


class PyiqaMetric:
    """One metric of pyiqa, by default on the CPU. Errors: InputError where pyiqa is not installed."""

    def __init__(self, name: Name, pristine: Path | None = None, device: torch.device | None = None) -> None:
        from blindface.base.torchvision_repair import repair

        repair()
        try:
            import pyiqa
        except ImportError as error:
            raise InputError("pyiqa is not installed: pip install 'blindface[pyiqa]' (non-commercial use)") from error
        extra = {"pretrained_model_path": str(pristine)} if pristine else {}
        self.metric: Any = pyiqa.create_metric(name, device=device or torch.device("cpu"), **extra)

    def __call__(self, images: Stack, targets: Stack | None = None) -> torch.Tensor:
        """One value per image of uint8 stacks (N, H, W, 3): float64 (N,)."""
        inputs = [to_unit(as_stack(stack)) for stack in (images, targets) if stack is not None]
        value: torch.Tensor = self.metric(*inputs)
        return value.detach().reshape(-1).double()
