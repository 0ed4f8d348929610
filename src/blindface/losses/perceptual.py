"""The perceptual loss: images are close where a network that knows images sees the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from blindface.base.numerics import in_full
from blindface.losses.vgg import VGG19, Backbone


class PerceptualLoss(nn.Module):
    """Equation (4): the sum over layers j of the mean of |phi_j(target) - phi_j(output)|, phi_j being VGG19's features.

    backbone: `vgg19` (torchvision's) or `vgg19_normalised` (up to relu3_1); layers: their names, such as relu1_2;
    weight_file: the backbone's file; None: a form without values, see `VGG19`. Errors: see there.
    """

    def __init__(self, backbone: Backbone, layers: Sequence[str], weight_file: Path | None) -> None:
        super().__init__()
        self.features = VGG19(backbone, layers, weight_file)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output, target: (N, 3, H, W) in [-1, 1]. Returns a scalar; the target gets no gradient."""
        with torch.no_grad():
            wanted = self.features(target)
        pairs = zip(self.features(output), wanted, strict=True)
        return torch.stack([(in_full(a) - in_full(b)).abs().mean() for a, b in pairs]).sum()
