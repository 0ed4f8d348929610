"""The pixel loss."""

from __future__ import annotations

from torch import Tensor, nn

from blindface.base.numerics import in_full


class PixelLoss(nn.Module):
    """Mean absolute error, equation (3): the mean of |target - output| over batch, channels and pixels."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output, target: (N, 3, H, W) in [-1, 1]. Returns a scalar, zero at best."""
        return (in_full(output) - in_full(target)).abs().mean()
