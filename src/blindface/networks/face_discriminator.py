"""The face discriminator: a second critic, of the aligned face alone."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from blindface.networks.discriminator import Discriminator, Stage
from blindface.networks.layers import EqualisedConv2d, initialise

FACE_SIZE = 64
"""Side of an aligned face in pixels: about as many as it has in a photograph of LFW at 128x128."""
_LAST = 4


class FaceDiscriminator(Discriminator):
    """Aligned faces (N, 3, 64, 64) to scores (N,).

    Built like `Discriminator`, one stage deeper: 64 -> 32 -> 16 -> 8 -> 4 px, on 1, 2, 4, 8 and 8 times `channels`. Its
    linear layers see every pixel of the last 4x4 (as in Karras et al. 2018), not their mean: in aligned faces each
    place is a feature of its own, so that the critic sees how they go together. The component discriminators of GFPGAN
    (Wang et al. 2021, section 3.4) do so for eyes and mouth one by one.

    The argument `step` of its methods is ignored: faces have one size. channels: of the entry at 64x64.
    """

    def __init__(self, channels: int = 64) -> None:
        nn.Module.__init__(self)
        self.channels = channels
        self.processes = 1
        widths = [channels, 2 * channels, 4 * channels, 8 * channels, 8 * channels]
        top = widths[-1]
        self.from_rgb = nn.ModuleList([initialise(nn.Conv2d(3, channels, 1), gain=2.0)])
        self.stages = nn.ModuleList(Stage(inputs, outputs) for inputs, outputs in pairwise(widths))
        self.last = EqualisedConv2d(top + 1, top)
        self.hidden = initialise(nn.Linear(top * _LAST**2, top), gain=2.0)
        self.score = initialise(nn.Linear(top, 1), gain=1.0)

    def _way(self, step: int) -> tuple[nn.Conv2d, list[Stage]]:
        return self.from_rgb[0], [self.stages[place] for place in range(len(self.stages))]  # type: ignore

    def _size(self, step: int) -> int:
        return FACE_SIZE

    def _gather(self, features: Tensor) -> Tensor:
        return features.flatten(1)

    def _spread(self, gradient: Tensor, features: Tensor) -> Tensor:
        return gradient.reshape(features.shape)
