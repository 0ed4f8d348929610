"""The progressive generator: three steps that each double the size, with an image after every one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from blindface.networks.encoder import Encoder
from blindface.networks.layers import EqualisedConv2d, ResidualBlock, initialise

EncoderKind = Literal["none", "plain", "residual", "unet"]
DOUBLINGS = 3


class Refinement(nn.Module):
    """Gated residual blocks on features at full size, to which a 3x3 convolution of the blind image is added.

    Without them (the paper's generator) no layer at 128x128 sees more than one pixel, so that what the last transposed
    convolution leaves uneven stays. The gates and that convolution begin at 0: training begins as without refinement.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blind = EqualisedConv2d(3, channels)
        nn.init.zeros_(self.blind.weight)
        self.blocks = nn.Sequential(*(ResidualBlock(channels, gated=True) for _ in range(blocks)))

    def forward(self, features: Tensor, blind: Tensor) -> Tensor:
        """features: (N, channels, H, W); blind: (N, 3, h, w), enlarged if smaller. Returns (N, channels, H, W)."""
        if blind.shape[-2:] != features.shape[-2:]:
            blind = F.interpolate(blind, features.shape[-2:], mode="bilinear", align_corners=False)
        refined: Tensor = self.blocks(features + self.blind(blind))
        return refined


class Generator(nn.Module):
    """Blind image to restored images at 32, 64 and 128 px.

    A stem (3x3 convolution, batch norm, ReLU) takes a 16x16 blind image to `channels` features; for 128x128 blind
    images an encoder, plain (the paper's) or residual (its future work), takes its place. Step k is a residual block on
    d channels and a 4x4 transposed convolution of stride 2 to d / 2, batch norm, ReLU, with d = channels, / 2, / 4.
    With `unet` the encoder is residual and its features at 32x32 and 64x64 are added to those of steps 1 and 2, which
    have as many channels (Ronneberger et al., U-Net, 2015, with sums in place of concatenations): what the photograph
    still shows need not pass 16x16.
    A 1x1 convolution turns the features of each step into an image; it is linear, so values may leave [-1, 1].
    With 512 channels and no encoder these are 8,969,097 parameters, the paper's number.

    refinement_blocks: of a `Refinement` of the last step's features; 0: none, as in the paper.
    channels: a multiple of 8.
    """

    def __init__(self, channels: int = 512, encoder: EncoderKind = "none", refinement_blocks: int = 0) -> None:
        super().__init__()
        if channels < 8 or channels % 8:
            raise ValueError(f"channels must be a positive multiple of 8, got {channels}")
        self.channels = channels
        self.encoder: EncoderKind = encoder
        self.stem: nn.Module
        if encoder == "none":
            convolution = initialise(nn.Conv2d(3, channels, 3, padding=1), gain=2.0)
            self.stem = nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU())
        else:
            self.stem = Encoder(channels, residual=encoder != "plain")
        widths = [channels >> step for step in range(DOUBLINGS)]
        self.steps = nn.ModuleList(_step(width) for width in widths)
        self.to_rgb = nn.ModuleList(initialise(nn.Conv2d(width // 2, 3, 1), gain=1.0) for width in widths)
        self.refinement = Refinement(widths[-1] // 2, refinement_blocks) if refinement_blocks else None

    @property
    def arguments(self) -> dict[str, Any]:
        """What to hand to the constructor for a generator of the same shape; fit for JSON."""
        return {
            "channels": self.channels,
            "encoder": self.encoder,
            "refinement_blocks": 0 if self.refinement is None else len(self.refinement.blocks),
        }

    @property
    def input_size(self) -> int:
        """Side of the blind images in pixels."""
        return 16 if self.encoder == "none" else 128

    def forward(self, blind: Tensor, steps: int = DOUBLINGS) -> list[Tensor]:
        """Restore a batch.

        blind: (N, 3, S, S) float in [-1, 1], S = 16 without an encoder and 128 with one; steps: 1, 2 or 3.
        Returns the images of steps 1..steps: (N, 3, 32, 32), (N, 3, 64, 64), (N, 3, 128, 128), not clipped.
        """
        assert blind.shape[1:] == (3, self.input_size, self.input_size), f"blind images have shape {blind.shape}"
        features, kept = self._encode(blind)
        images = []
        for index in range(steps):
            features = self.steps[index](features)
            if index < len(kept):
                features = features + kept[index]
            if self.refinement is not None and index == DOUBLINGS - 1:
                features = self.refinement(features, blind)
            images.append(self.to_rgb[index](features))
        return images

    def restore(self, blind: Tensor, ids: Sequence[str] = ()) -> list[Tensor]:
        """The images of all steps; ids are not used, nothing is drawn."""
        images: list[Tensor] = self(blind)
        return images

    def _encode(self, blind: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The features at 16x16, and those to add after the steps, from the first on."""
        if self.encoder == "unet":
            assert isinstance(self.stem, Encoder)
            wide, half, features = self.stem.features(blind)
            return features, [half, wide]
        return self.stem(blind), []


def _step(channels: int) -> nn.Sequential:
    double = initialise(nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1), gain=2.0)
    return nn.Sequential(ResidualBlock(channels), double, nn.BatchNorm2d(channels // 2), nn.ReLU())
