"""The pixel loss, and the precision in which all losses are summed."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def in_full(x: Tensor) -> Tensor:
    """Half precision (autocast's) to float32; float32 and float64 as they are."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


class PixelLoss(nn.Module):
    """Mean absolute error, equation (3): the mean of |target - output| over batch, channels and pixels."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output, target: (N, 3, H, W) in [-1, 1]. Returns a scalar, zero at best."""
        return (in_full(output) - in_full(target)).abs().mean()
