"""Steps of a discriminator's pass run backwards: what its image gradient is written with, see `discriminator`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from blindface.networks.layers import LEAK


def leak(x: Tensor, signs: list[Tensor]) -> Tensor:
    """Leaky ReLU; where x is positive is appended to `signs`."""
    signs.append(x > 0)
    return F.leaky_relu(x, LEAK)


def unleak(gradient: Tensor, positive: Tensor) -> Tensor:
    """The gradient before a leaky ReLU, from the one after it."""
    return torch.where(positive, gradient, LEAK * gradient)


def unpool(gradient: Tensor) -> Tensor:
    """The gradient before a 2x2 average pool, from the one after it: (N, C, H, W) -> (N, C, 2 H, 2 W).

    Not by `interpolate`: compiled, its backward becomes a scattered write, slow and, made deterministic, slower.
    """
    n, c, h, w = gradient.shape
    return (gradient / 4)[:, :, :, None, :, None].expand(n, c, h, 2, w, 2).reshape(n, c, 2 * h, 2 * w)
