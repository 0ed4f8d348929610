"""The progressive generator: three steps that each double the size, with an image after every one."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn

from blindface.networks.encoder import Encoder
from blindface.networks.layers import EqualisedConv2d, ResidualBlock, initialise

EncoderKind = Literal["none", "plain", "residual", "unet"]
STEPS = 3


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

    refinement_blocks: gated residual blocks at 128x128 before the last image. Without them (the paper's generator) no
    layer there sees more than one pixel, so that what the last transposed convolution leaves uneven stays. With `unet`,
    a 3x3 convolution of the blind image is added to the features that they refine: the U-Net's level at full size. The
    gates and that convolution begin at 0, so that training begins as without refinement.
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
        widths = [channels >> step for step in range(STEPS)]
        self.steps = nn.ModuleList(_step(width) for width in widths)
        self.to_rgb = nn.ModuleList(initialise(nn.Conv2d(width // 2, 3, 1), gain=1.0) for width in widths)
        last = widths[-1] // 2
        self.refinement = nn.Sequential(*(ResidualBlock(last, gated=True) for _ in range(refinement_blocks)))
        self.full_size = EqualisedConv2d(3, last) if encoder == "unet" and refinement_blocks else None
        if self.full_size is not None:
            nn.init.zeros_(self.full_size.weight)

    @property
    def arguments(self) -> dict[str, Any]:
        """What to hand to the constructor for a generator of the same shape; fit for JSON."""
        return {
            "channels": self.channels,
            "encoder": self.encoder,
            "refinement_blocks": len(self.refinement),
        }

    @property
    def input_size(self) -> int:
        """Side of the blind images in pixels."""
        return 16 if self.encoder == "none" else 128

    def forward(self, blind: Tensor, steps: int = STEPS) -> list[Tensor]:
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
            if index == STEPS - 1:
                features = self.refinement(features)
            images.append(self.to_rgb[index](features))
        return images

    def _encode(self, blind: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The features at 16x16, and those to add after the steps, from the first on."""
        if self.encoder == "unet":
            assert isinstance(self.stem, Encoder)
            wide, half, features = self.stem.features(blind)
            return features, [half, wide] if self.full_size is None else [half, wide, self.full_size(blind)]
        return self.stem(blind), []


def _step(channels: int) -> nn.Sequential:
    double = initialise(nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1), gain=2.0)
    return nn.Sequential(ResidualBlock(channels), double, nn.BatchNorm2d(channels // 2), nn.ReLU())
