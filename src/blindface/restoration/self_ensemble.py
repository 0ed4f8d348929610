"""Restoring an image together with its mirror image.

A mirrored face is a face as likely as any other, but a network answers it with slightly other details. Their mean keeps
what both agree on (geometric self-ensemble: Timofte et al., Seven ways to improve example-based single image super
resolution, 2016; Lim et al., EDSR, 2017, section 4.3, there with all eight turns, of which faces allow two).

The mean of two invented details is a blur. With a `sigma` the mean is of what comes nearer to the target by it and
looks no softer: of colour, and of what is coarse in brightness. Fine detail of brightness is the straight image's own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from blindface.base.images import SIZE
from blindface.metrics.operators import apply, gaussian_replicate
from blindface.networks.generator import STEPS, Generator

LUMA = (0.299, 0.587, 0.114)
"""Shares of R, G and B in brightness (BT.601)."""


class SelfEnsemble(nn.Module):
    """A generator whose images are means with those of the mirrored input, turned back; twice the work.

    sigma: of the Gaussian in pixels at 128x128 that tells coarse from fine in brightness; 0: the mean of everything. At
    the smaller steps it is as much smaller.
    """

    def __init__(self, network: Generator, sigma: float = 0.0) -> None:
        super().__init__()
        self.network = network
        self.sigma = sigma

    @property
    def input_size(self) -> int:
        """Side of the blind images in pixels."""
        return self.network.input_size

    def forward(self, blind: Tensor, steps: int = STEPS) -> list[Tensor]:
        """As `Generator.forward`."""
        straight, mirrored = self.network(blind, steps), self.network(blind.flip(-1), steps)
        return [self._joined(ours, other.flip(-1)) for ours, other in zip(straight, mirrored, strict=True)]

    def _joined(self, ours: Tensor, other: Tensor) -> Tensor:
        """ours + d - luma(d) + Gaussian(luma(d)) for d on the way to the mean; images (N, 3, H, W)."""
        change = (other - ours) / 2
        if self.sigma == 0:
            return ours + change
        luma = torch.einsum("nchw,c->nhw", change, change.new_tensor(LUMA)).unsqueeze(1)
        return ours + change - luma + _coarse(luma, self.sigma)


def _coarse(images: Tensor, sigma: float) -> Tensor:
    """Images (N, 1, H, W) smoothed by a Gaussian of `sigma` pixels at 128x128, borders repeated."""
    height, width = images.shape[-2:]
    rows, columns = (
        gaussian_replicate(size, 2 * math.ceil(3 * scaled) + 1, scaled)
        for size, scaled in ((height, sigma * height / SIZE), (width, sigma * width / SIZE))
    )
    return apply(rows, columns, images.double()).to(images.dtype)
