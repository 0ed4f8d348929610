"""The U-Net of today's recipes: it adds to the enlarged blind image what it lacks.

Features fall from 128 px to 16 px and come up again; on the way up each level takes the features of the way down of the
same size (Ronneberger et al. 2015). Residual blocks with group norm and SiLU, self-attention at the lowest level, and
an optional embedding of time follow Ho et al. 2020 (DDPM) and Dhariwal and Nichol 2021. What comes last, in a block and
in the network, begins at zero: the network begins as the identity of the enlarged blind image.

Where the cost lies: at 128 px features are few and large, and a GPU spends its time moving them. So the widest level
is at 64 px and below; at 128 px there is a thin one that keeps the finest detail.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blindface.base.errors import ParameterError
from blindface.base.images import SIZE
from blindface.base.numerics import in_full

CHANNELS = (32, 128, 224, 256)
"""Default widths at 128, 64, 32 and 16 px."""
BLOCKS = (1, 2, 2, 2)
"""Default residual blocks of each level, on the way down and again on the way up."""
FREQUENCIES = 64
"""Sines and as many cosines that tell the time."""


class UNet(nn.Module):
    """(N, inputs, S, S) and, with `time`, (N,) in [0, 1] -> (N, 3, S, S), zero at first.

    channels: width of each level, from full size down; the side S halves from level to level and must divide by
    stem * 2^(levels - 1). blocks: residual blocks of each level, down and up. heads: of the attention at the lowest
    level. stem: 1, or 2: the levels begin at half the size, on the pixels of 2x2 side by side (Shi et al. 2016), and
    two convolutions of a quarter of the channels end the network at full size: faster, as no block works there.
    Errors: ParameterError if channels, blocks and heads do not fit each other, or the stem is another number.
    """

    def __init__(
        self,
        inputs: int = 3,
        channels: Sequence[int] = CHANNELS,
        blocks: Sequence[int] = BLOCKS,
        heads: int = 4,
        time: bool = False,
        stem: int = 1,
    ) -> None:
        super().__init__()
        if stem not in (1, 2):
            raise ParameterError(f"the stem of a U-Net is 1 or 2, got {stem}")
        if len(channels) != len(blocks) or not channels:
            raise ParameterError(f"a U-Net has as many widths as numbers of blocks, got {channels} and {blocks}")
        if channels[-1] % heads:
            raise ParameterError(f"the lowest width {channels[-1]} must divide by the {heads} heads of the attention")
        embedding = 4 * FREQUENCIES if time else 0
        self.time = TimeEmbedding(embedding) if time else None
        self.stem = stem
        self.entry = nn.Conv2d(inputs * stem**2, channels[0], 3, padding=1)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, (width, count) in enumerate(zip(channels, blocks, strict=True)):
            above = channels[max(level - 1, 0)]
            self.down.append(_Level(above if level else None, None, width, count, embedding))
            below = channels[level + 1] if level + 1 < len(channels) else None
            self.up.append(_Level(None, below, width, count, embedding))
        self.attention = Attention(channels[-1], heads)
        self.norm = group_norm(channels[0])
        head = channels[0] if stem == 1 else max(channels[0] // 4, 4)
        self.widen = nn.Conv2d(channels[0], 4 * head, 3, padding=1) if stem == 2 else None
        self.head = nn.Conv2d(head + inputs, head, 3, padding=1) if stem == 2 else None
        self.exit = nn.Conv2d(head, 3, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Run down and up; float32 at least is returned, also under autocast."""
        embedded = None if self.time is None or time is None else self.time(time)
        image = x
        x = self.entry(x if self.stem == 1 else F.pixel_unshuffle(x, 2))
        kept: list[Tensor] = []
        for level in self.down:
            x = level(x, embedded)
            kept.append(x)
        x = self.attention(kept.pop())
        for place, level in enumerate(reversed(self.up)):
            x = level(x, embedded, kept.pop() if place else None)
        x = F.silu(self.norm(x))
        if self.widen is not None and self.head is not None:
            whole = F.pixel_shuffle(self.widen(x), 2)
            x = F.silu(self.head(torch.cat([whole, image.to(whole.dtype)], dim=1)))
        return in_full(self.exit(x))


class _Level(nn.Module):
    """One size of the U-Net on one way: the change of size and the residual blocks.

    above: width of the level before on the way down, from which a convolution of stride 2 leads here; below: width of
    the level before on the way up, whose features are narrowed, doubled in size and put beside those kept.
    """

    def __init__(self, above: int | None, below: int | None, width: int, count: int, embedding: int) -> None:
        super().__init__()
        self.shrink = None if above is None else nn.Conv2d(above, width, 3, stride=2, padding=1)
        self.grow = None if below is None else nn.Conv2d(below, width, 1)
        first = 2 * width if below is not None else width
        self.blocks = nn.ModuleList(
            ResidualBlock(width if place else first, width, embedding) for place in range(count)
        )

    def forward(self, x: Tensor, embedded: Tensor | None, kept: Tensor | None = None) -> Tensor:
        if self.shrink is not None:
            x = self.shrink(x)
        if self.grow is not None and kept is not None:
            x = torch.cat([double(self.grow(x)), kept], dim=1)
        for block in self.blocks:
            x = block(x, embedded)
        return x


class ResidualBlock(nn.Module):
    """x + [group norm, SiLU, 3x3 convolution] twice, the last one from zero; (N, inputs, H, W) -> (N, outputs, H, W).

    With an embedding e of time, the second norm's result h becomes h (1 + a(e)) + b(e), a and b linear, from zero.
    """

    def __init__(self, inputs: int, outputs: int, embedding: int = 0) -> None:
        super().__init__()
        self.norm1, self.convolution1 = group_norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.convolution2 = group_norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * outputs) if embedding else None
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        nn.init.zeros_(self.convolution2.weight)
        nn.init.zeros_(self.convolution2.bias)  # type: ignore[arg-type]
        if self.modulate is not None:
            nn.init.zeros_(self.modulate.weight)
            nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, embedded: Tensor | None = None) -> Tensor:
        """embedded: (N, embedding), where the block was built with one."""
        h = self.norm2(self.convolution1(F.silu(self.norm1(x))))
        if self.modulate is not None and embedded is not None:
            scale, shift = self.modulate(embedded)[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        result: Tensor = self.shortcut(x) + self.convolution2(F.silu(h))
        return result


class Attention(nn.Module):
    """x + self-attention over the pixels (Vaswani et al. 2017), from zero; (N, width, H, W) -> the same shape.

    Products of matrices written out: their gradients have the same bits on every run, and they are exported as such.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = group_norm(width)
        self.enter = nn.Conv2d(width, 3 * width, 1)
        self.leave = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Every pixel looks at all others."""
        n, c, h, w = x.shape
        parts = self.enter(self.norm(x)).reshape(n, 3, self.heads, c // self.heads, h * w)
        query, key, value = parts.unbind(dim=1)  # (N, heads, c / heads, pixels) each
        scores = (query * (c // self.heads) ** -0.5).transpose(-1, -2) @ key
        seen = value @ scores.softmax(dim=-1).to(value.dtype).transpose(-1, -2)
        result: Tensor = x + self.leave(seen.reshape(n, c, h, w))
        return result


class TimeEmbedding(nn.Module):
    """Times (N,) in [0, 1] -> (N, width): sines and cosines of 1000 t, frequencies 1 to 1e-4, two linear layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, time: Tensor) -> Tensor:
        """The angles are taken in float32, also under autocast."""
        steps = torch.arange(FREQUENCIES, device=time.device, dtype=torch.float32)
        angles = 1000.0 * in_full(time)[:, None] * torch.exp(-math.log(1e4) / FREQUENCIES * steps)
        result: Tensor = self.layers(torch.cat([angles.sin(), angles.cos()], dim=1).to(in_full(time).dtype))
        return result


def group_norm(width: int) -> nn.GroupNorm:
    """Group norm of at most 32 groups of at least 4 channels, as many as divide the width."""
    groups = next(count for count in range(max(1, min(32, width // 4)), 0, -1) if width % count == 0)
    return nn.GroupNorm(groups, width)


def double(x: Tensor) -> Tensor:
    """Repeat every pixel twice each way: (N, C, H, W) -> (N, C, 2 H, 2 W).

    Not by `interpolate`, whose compiled backward is a scattered write. The result lies in memory channels last.
    """
    n, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(n, h, 2, w, 2, c)
    return rows.reshape(n, 2 * h, 2 * w, c).permute(0, 3, 1, 2)


def enlarge(blind: Tensor, side: int = SIZE) -> Tensor:
    """Blind images (N, 3, S, S) in [-1, 1] at the side of the target, bicubic where they are smaller."""
    if blind.shape[-1] == side:
        return blind
    return F.interpolate(in_full(blind), size=(side, side), mode="bicubic", align_corners=False)


class RestorationUNet(UNet):
    """Blind images (N, 3, 16 or 128, same) in [-1, 1] -> restored ones (N, 3, 128, 128): enlarged input + network.

    The network of `mean` and `gan`. With the squared error it estimates the posterior mean E[x | blind].
    input_size: of the blind images in px; it decides no weight.
    """

    def __init__(
        self, channels: Sequence[int] = CHANNELS, blocks: Sequence[int] = BLOCKS, stem: int = 1, input_size: int = SIZE
    ) -> None:
        super().__init__(3, channels, blocks, stem=stem)
        self.input_size = input_size
        shape = {"channels": list(channels), "blocks": list(blocks), "stem": stem}
        self.arguments = {**shape, "input_size": input_size}

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Restore; time is not known here."""
        assert time is None
        enlarged = enlarge(x)
        return in_full(enlarged) + super().forward(enlarged)

    def restore(self, blind: Tensor, ids: Sequence[str] = ()) -> list[Tensor]:
        """The one image of each blind one; ids are not used, nothing is drawn."""
        return [self(blind)]


class VelocityUNet(UNet):
    """The velocity of a flow at time t: (N, 3, 128, 128) states, means and enlarged blind images side by side."""

    def __init__(self, channels: Sequence[int] = CHANNELS, blocks: Sequence[int] = BLOCKS, stem: int = 1) -> None:
        super().__init__(9, channels, blocks, time=True, stem=stem)
        self.arguments = {"channels": list(channels), "blocks": list(blocks), "stem": stem}

    def velocity(self, state: Tensor, time: Tensor, mean: Tensor, enlarged: Tensor) -> Tensor:
        """state, mean, enlarged: (N, 3, S, S); time: (N,) in [0, 1]. Returns (N, 3, S, S)."""
        velocity: Tensor = self(torch.cat([state, mean, enlarged], dim=1), time)
        return velocity
