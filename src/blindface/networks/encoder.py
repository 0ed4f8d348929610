"""Encoders of objective 2: from a 128x128 blind image to the features that the stem makes of a 16x16 one.

`features` gives what stands at 64x64 and 32x32 on the way too, for a generator that takes it up again (U-Net).
"""

from __future__ import annotations

from torch import Tensor, nn

from blindface.networks.layers import LEAK, EqualisedConv2d, initialise


class EncoderBlock(nn.Module):
    """Halve the size and raise the channels: (N, inputs, H, W) -> (N, outputs, H/2, W/2).

    3x3 convolution of stride 2, leaky ReLU, 3x3 convolution, batch norm, ReLU. With `residual`, a shortcut is added
    to the result: 2x2 average pool and 1x1 convolution.
    """

    def __init__(self, inputs: int, outputs: int, residual: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            EqualisedConv2d(inputs, outputs, stride=2),
            nn.LeakyReLU(LEAK),
            EqualisedConv2d(outputs, outputs),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )
        self.shortcut = (
            nn.Sequential(nn.AvgPool2d(2), initialise(nn.Conv2d(inputs, outputs, 1), gain=1.0)) if residual else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """The body, and the shortcut where there is one."""
        result: Tensor = self.body(x)
        return result if self.shortcut is None else result + self.shortcut(x)


class Encoder(nn.Sequential):
    """Three blocks: (N, 3, 128, 128) -> (N, channels, 16, 16), over channels / 4 and channels / 2."""

    def __init__(self, channels: int, residual: bool) -> None:
        widths = [3, channels // 4, channels // 2, channels]
        blocks = [EncoderBlock(widths[i], widths[i + 1], residual) for i in range(3)]
        super().__init__(*blocks)

    def features(self, x: Tensor) -> list[Tensor]:
        """The result of every block: (N, channels / 4, 64, 64), (N, channels / 2, 32, 32), (N, channels, 16, 16)."""
        results = []
        for block in self:
            x = block(x)
            results.append(x)
        return results
