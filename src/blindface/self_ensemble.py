"""Restoring an image together with its mirror image.

A mirrored face is a face as likely as any other, but a network answers it with slightly other details. Their mean keeps
what both agree on (geometric self-ensemble: Timofte et al., Seven ways to improve example-based single image super
resolution, 2016; Lim et al., EDSR, 2017, section 4.3, there with all eight turns, of which faces allow two).
"""

from __future__ import annotations

from torch import Tensor, nn

from blindface.networks.generator import STEPS, Generator


class SelfEnsemble(nn.Module):
    """A generator whose images are means with those of the mirrored input, turned back; twice the work."""

    def __init__(self, network: Generator) -> None:
        super().__init__()
        self.network = network

    @property
    def input_size(self) -> int:
        """Side of the blind images in pixels."""
        return self.network.input_size

    def forward(self, blind: Tensor, steps: int = STEPS) -> list[Tensor]:
        """As `Generator.forward`. A mirrored batch gives the mirrored images, up to rounding."""
        straight, mirrored = self.network(blind, steps), self.network(blind.flip(-1), steps)
        return [(ours + other.flip(-1)) / 2 for ours, other in zip(straight, mirrored, strict=True)]
