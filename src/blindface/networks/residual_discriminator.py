"""A discriminator without normalisation, for relativistic pairs with zero-centred penalties (Huang et al. 2024).

"The GAN is dead; long live the GAN! A modern GAN baseline", NeurIPS 2024: residual blocks of three convolutions, leaky
ReLU, no normalisation, the last convolution of a block from zero (Fixup, Zhang et al. 2019), and a linear score.

The penalties R1 and R2 are about the gradient of the score with respect to the image. As in `discriminator` it is
written out as a pass of the same weights run backwards, so that its own gradient is one of first order, exact, and
compiles. The forward pass serves both: `judge` gives scores and gradients at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from blindface.base.errors import ParameterError
from blindface.base.images import SIZE
from blindface.networks.backwards import leak, unleak, unpool
from blindface.networks.layers import initialise

CHANNELS = (128, 256, 384, 512)
"""Default widths at 64, 32, 16 and 8 px."""


class ResidualDiscriminator(nn.Module):
    """Images (N, 3, side, side) in [-1, 1] -> scores (N,).

    A 4x4 convolution of stride 2 enters; each level is `blocks` residual blocks and a 2x2 average pool, with a 1x1
    convolution to the next width; a linear layer sees what is left. channels: of each level, from half the size down.
    expansion: width inside a block over that outside; group_width: channels of a group of the 3x3 convolution, None:
    not grouped. Huang et al. have 2 and 16, which takes fewer operations but more time on a GPU.
    Errors: ParameterError for a side that the levels do not divide, or groups that do not divide a width.
    """

    def __init__(
        self,
        channels: Sequence[int] = CHANNELS,
        blocks: int = 1,
        expansion: int = 1,
        group_width: int | None = None,
        side: int = SIZE,
    ) -> None:
        super().__init__()
        last = side >> (len(channels) + 1)
        if last < 1 or last << (len(channels) + 1) != side:
            raise ParameterError(f"a discriminator of {len(channels)} levels cannot halve {side} px so often")
        self.side = side
        self.entry = initialise(nn.Conv2d(3, channels[0], 4, stride=2, padding=1), gain=1.0)
        self.levels = nn.ModuleList(
            nn.ModuleList(BottleneckBlock(width, expansion, group_width) for _ in range(blocks)) for width in channels
        )
        self.widen = nn.ModuleList(
            initialise(nn.Conv2d(width, following, 1, bias=False), gain=1.0) for width, following in pairwise(channels)
        )
        self.score = initialise(nn.Linear(channels[-1] * last * last, 1, bias=False), gain=1.0)

    def forward(self, image: Tensor) -> Tensor:
        """(N,) scores, float32 also under autocast: the loss is of their differences."""
        return self._score(self._features(image, []))

    def judge(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The scores (N,), and the gradient of each with respect to its image, (N, 3, side, side).

        The gradient has the values of `autograd.grad(self(image).sum(), image)` and is an ordinary function of the
        weights: its own gradients are those of a double backward. Images do not see each other.
        """
        signs: list[Tensor] = []
        features = self._features(image, signs)
        gradient = self.score.weight.to(features.dtype).reshape(1, *features.shape[1:]).expand_as(features)
        for place in reversed(range(len(self.levels))):
            if place < len(self.widen):
                gradient = F.conv_transpose2d(gradient, self._widen(place).weight)
            gradient = unpool(gradient)
            for block in reversed(self._blocks(place)):
                gradient = block.transpose(gradient, signs)
        gradient = F.conv_transpose2d(gradient, self.entry.weight, stride=2, padding=1)
        return self._score(features), gradient

    def _features(self, image: Tensor, signs: list[Tensor]) -> Tensor:
        """What the linear layer sees, (N, C, h, w); the signs before every leaky ReLU are appended in order."""
        assert image.shape[-1] == self.side, f"the discriminator takes {self.side} px, got {tuple(image.shape)}"
        features: Tensor = self.entry(image)
        for place in range(len(self.levels)):
            for block in self._blocks(place):
                features = block(features, signs)
            features = F.avg_pool2d(features, 2)
            if place < len(self.widen):
                features = self._widen(place)(features)
        return features

    def _score(self, features: Tensor) -> Tensor:
        weight = self.score.weight
        return (features.flatten(1).to(weight.dtype) * weight).sum(dim=1)

    def _blocks(self, place: int) -> list[BottleneckBlock]:
        level = self.levels[place]
        assert isinstance(level, nn.ModuleList)
        return [block for block in level if isinstance(block, BottleneckBlock)]

    def _widen(self, place: int) -> nn.Conv2d:
        layer = self.widen[place]
        assert isinstance(layer, nn.Conv2d)
        return layer


class BottleneckBlock(nn.Module):
    """x + 1x1, leaky ReLU, 3x3 (grouped or not), leaky ReLU, 1x1 convolution from zero; the shape stays.

    The first two begin smaller by 1 / sqrt(10): Fixup's L^(-1 / (2 m - 2)) for L = 10 blocks of m = 3 convolutions is
    about that, and the exact number of blocks moves it little.
    """

    def __init__(self, width: int, expansion: int, group_width: int | None) -> None:
        super().__init__()
        inner = width * expansion
        if group_width is not None and inner % group_width:
            raise ParameterError(f"groups of {group_width} channels do not divide {inner}")
        self.groups = 1 if group_width is None else inner // group_width
        gain = 2.0 / math.sqrt(10)
        self.enter = initialise(nn.Conv2d(width, inner, 1), gain)
        self.spread = initialise(nn.Conv2d(inner, inner, 3, padding=1, groups=self.groups), gain)
        self.leave = nn.Conv2d(inner, width, 1, bias=False)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor, signs: list[Tensor]) -> Tensor:
        """The signs before both leaky ReLUs are appended."""
        result: Tensor = x + self.leave(leak(self.spread(leak(self.enter(x), signs)), signs))
        return result

    def transpose(self, gradient: Tensor, signs: list[Tensor]) -> Tensor:
        """From the gradient with respect to the output to that of the input; takes the signs from the list's end."""
        inner = unleak(F.conv_transpose2d(gradient, self.leave.weight), signs.pop())
        inner = F.conv_transpose2d(inner, self.spread.weight, padding=1, groups=self.groups)
        return gradient + F.conv_transpose2d(unleak(inner, signs.pop()), self.enter.weight)
