"""The discriminator (a critic: its scores are not probabilities), with one entry for each of the three sizes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blindface.networks.layers import LEAK, EqualisedConv2d, initialise

SIZES = (32, 64, 128)
"""Side of the images of steps 1, 2, 3 in pixels."""


class Discriminator(nn.Module):
    """Images of step 1, 2 or 3 to scores.

    A 1x1 convolution and leaky ReLU enter at the stage of the image's size; each stage is [3x3 convolution (equalised),
    leaky ReLU] twice, the first doubling the channels, and a 2x2 average pool; at 16x16 the batch's standard deviation
    becomes one more channel; 3x3 convolution (equalised), leaky ReLU, mean over the pixels, linear to four times the
    channels, leaky ReLU, linear to one. No normalisation: the gradient penalty is about single images.
    With 64 channels at 128x128 these are 8,065,537 parameters, the paper's number.

    channels: of the entry at 128x128; twice and four times as many at 64x64 and 32x32.
    """

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.channels = channels
        widths = [4 * channels, 2 * channels, channels]
        top = 8 * channels
        self.from_rgb = nn.ModuleList(
            nn.Sequential(initialise(nn.Conv2d(3, width, 1), gain=2.0), nn.LeakyReLU(LEAK)) for width in widths
        )
        self.stages = nn.ModuleList(_stage(width) for width in widths)
        self.last = EqualisedConv2d(top + 1, top)
        self.hidden = initialise(nn.Linear(top, 4 * top), gain=2.0)
        self.score = nn.Linear(4 * top, 1)
        initialise(self.score, gain=1.0)

    def forward(self, image: Tensor, step: int, groups: int = 1) -> Tensor:
        """Score one batch, or several equally large ones in a row, which is faster than one after the other.

        image: (groups * N, 3, S, S) with S = 32, 64, 128 for step 1, 2, 3; only images of a group see each other.
        Returns (groups * N,) scores, float32 also under autocast: the losses are differences of scores, of which
        bfloat16 would leave little.
        """
        assert image.shape[2] == SIZES[step - 1], f"step {step} takes {SIZES[step - 1]} px, got {image.shape}"
        features = self.from_rgb[step - 1](image)
        for index in range(step - 1, -1, -1):
            features = self.stages[index](features)
        features = F.leaky_relu(self._convolve_with_deviation(features, groups), LEAK)
        hidden = F.leaky_relu(self.hidden(features.mean(dim=(2, 3))), LEAK)
        return (hidden.to(self.score.weight.dtype) * self.score.weight[0]).sum(dim=1) + self.score.bias

    def _convolve_with_deviation(self, features: Tensor, groups: int) -> Tensor:
        """The last convolution on features and one more channel that holds their deviation over the batch.

        The channel is constant, so its share of the convolution is that of a map of ones, times the deviation: the same
        numbers as for the concatenation, without a convolution over an odd number of channels, which is slow.
        """
        weight = self.last.weight * self.last.scale
        result = F.conv2d(features, weight[:, :-1], self.last.bias, padding=1)
        ones = torch.ones_like(features[:1, :1])
        share = F.conv2d(ones, weight[:, -1:], padding=1)
        extra = batch_deviation(features, groups).reshape(-1, 1, 1, 1, 1) * share
        extra = extra.expand(-1, len(features) // groups, -1, -1, -1).flatten(0, 1)
        return result + extra.to(result.dtype)


def batch_deviation(features: Tensor, groups: int = 1) -> Tensor:
    """The standard deviation over a batch of each value, averaged over channels and pixels: one number per batch.

    The group is the whole batch (Karras et al. 2018, section 3, with one group). It tells the critic how varied a batch
    is. features: (groups * N, C, H, W). Returns (groups,), float32 at least. A small constant under the root keeps its
    second derivative finite where all images agree.
    """
    if features.dtype in (torch.bfloat16, torch.float16):
        features = features.float()
    batches = features.reshape(groups, -1, *features.shape[1:])
    return torch.sqrt(batches.var(dim=1, correction=0) + 1e-8).mean(dim=(1, 2, 3))


def _stage(channels: int) -> nn.Sequential:
    return nn.Sequential(
        EqualisedConv2d(channels, 2 * channels),
        nn.LeakyReLU(LEAK),
        EqualisedConv2d(2 * channels, 2 * channels),
        nn.LeakyReLU(LEAK),
        nn.AvgPool2d(2),
    )
