"""Layers that the networks share: the equalised convolution, the residual block, and how the others are initialised.

Equalised learning rate (Karras et al., Progressive Growing of GANs, 2018, section 4.1): weights are drawn from N(0, 1)
and scaled at run time by sqrt(2 / fan_in), so that Adam's steps are equally large, relative to the weights, everywhere.
Layers without it get the same forward scale from the start: see `initialise`.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAK = 0.2
"""Slope of the leaky ReLUs for negative values."""

Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


class EqualisedConv2d(nn.Module):
    """A convolution with equalised learning rate; zero padding that keeps the size at stride 1, bias from 0.

    input: (N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = math.sqrt(2.0 / (inputs * size * size))
        self.stride = stride
        self.padding = size // 2

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with the scaled weight."""
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)

    def transpose(self, gradient: Tensor) -> Tensor:
        """From a gradient with respect to the output to that of the input, at stride 1; same number of pixels."""
        assert self.stride == 1
        return F.conv_transpose2d(gradient, self.weight * self.scale, padding=self.padding)


class ResidualBlock(nn.Module):
    """x + [3x3 convolution (equalised), batch norm, ReLU] twice; (N, channels, H, W) -> the same shape.

    gated: the bracket is multiplied by a trained factor per channel that begins at 0 (Bachlechner et al., ReZero,
    2021), so that the block begins as the identity. What it adds is never negative: blocks in a row would otherwise
    begin by raising mean and variance of the features one after the other.
    """

    def __init__(self, channels: int, gated: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(
            EqualisedConv2d(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            EqualisedConv2d(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.gate = nn.Parameter(torch.zeros(channels, 1, 1)) if gated else None

    def forward(self, x: Tensor) -> Tensor:
        """The identity plus the body, gated or whole."""
        added: Tensor = self.body(x)
        return x + (added if self.gate is None else added * self.gate.to(added.dtype))


def initialise(layer: Layer, gain: float) -> Layer:
    """Draw the weights of a layer that is not equalised from N(0, gain / fan_in), bias 0; return the layer.

    gain 2 keeps the mean square of what a (leaky) ReLU follows (He et al. 2015, equation 10); gain 1 that of a linear
    output. The fan-in of a transposed convolution is the number of inputs that one output sees, which is its kernel
    divided by its stride in each direction; PyTorch's own initialisers count outputs instead.
    """
    if isinstance(layer, nn.ConvTranspose2d):
        seen = layer.weight[0, 0].numel() // (layer.stride[0] * layer.stride[1])
        fan_in = layer.in_channels * seen
    else:
        fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=math.sqrt(gain / fan_in))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def count_parameters(module: nn.Module) -> int:
    """The number of trained values."""
    return sum(parameter.numel() for parameter in module.parameters())
