"""Kim et al.'s compressed FAN (BMVC 2019, section 3.3): 68 heatmaps from a 64x64 crop of the face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from blindface.base.errors import ExternalFileError
from blindface.base.images import Image, to_unit
from blindface.landmarks.geometry import Points, from_crops, square_crops, to_crops
from blindface.landmarks.heatmaps import near, peaks
from blindface.landmarks.pickled import read_tensors
from blindface.landmarks.pose import expected_points

CROP = 64
SPREADS = (0.3, 0.2)
"""Standard deviation of the places where a point is expected, in inter-ocular distances (docs/landmarks.md)."""


class CompressedFan(nn.Module):
    """Five convolutions without any reduction: 5x5 3->32, then 3x3 to 64, 128, 128 with BN and LeakyReLU, then to 68.

    321,412 parameters. (N, 3, H, W) float in [0, 1] -> (N, 68, H, W). Made for H = W = 64.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 5, padding=2)
        layers: list[nn.Module] = []
        for before, after in ((32, 64), (64, 128), (128, 128)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.LeakyReLU(0.01)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(128, 68, 3, padding=1), nn.LeakyReLU(0.01))

    def forward(self, images: Tensor) -> Tensor:
        """Heatmaps of the size of the images."""
        heatmaps: Tensor = self.layers(self.conv(images))
        return heatmaps


def load_network(path: Path) -> CompressedFan:
    """The network from a state dict or from Kim et al.'s pickled module. Errors: ExternalFileError."""
    tensors = read_tensors(path)
    network = CompressedFan()
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ExternalFileError(
            f"{path} does not hold the weights of the compressed FAN: delete it and fetch the weights again"
        ) from error
    return _fuse(network.eval())


def _fuse(network: CompressedFan) -> CompressedFan:
    """The same function with each BN worked into the convolution before it: a third faster on a CPU."""
    layers = list(network.layers)
    for place, layer in enumerate(layers):
        if isinstance(layer, nn.BatchNorm2d):
            layers[place - 1] = fuse_conv_bn_eval(layers[place - 1], layer)  # type: ignore[type-var]
    network.layers = nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.BatchNorm2d)))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


class CompressedFanBackend:
    """68 points from the face's box; `margin` is the room around it, in shares of its longer side.

    The network sees 13 px around each pixel and nothing else, so it takes a collar for a chin and one eye for the
    other. The detector's five points say where each of the 68 is to be expected; heatmaps count less away from there.
    A detector without such points leaves the heatmaps as they are.
    """

    own_half = False

    def __init__(self, path: Path, margin: float, device: str = "cpu", batch_size: int = 32) -> None:
        self.margin, self.device, self.batch_size = margin, device, batch_size
        self._network = load_network(path).to(device)

    def __call__(self, images: Image, faces: NDArray[Any]) -> Points:
        """(N, H, W, 3) uint8 pictures, (N, 15) faces of the detector -> points (N, 68, 2) in pixels of the pictures."""
        crops, corners, factors = square_crops(images, faces[:, :4], self.margin, CROP)
        five = faces[:, 5:].reshape(-1, 5, 2)
        found = [np.empty((0, 68, 2), np.float32)]
        for first in range(0, len(crops), self.batch_size):
            part = slice(first, first + self.batch_size)
            with torch.inference_mode():
                heatmaps = self._network(to_unit(torch.from_numpy(crops[part]).to(self.device)))
                found.append(self._points(heatmaps, five[part], corners[part], factors[part], images.shape[1]))
        return np.concatenate(found)

    @staticmethod
    def _points(
        heatmaps: torch.Tensor, five: NDArray[Any], corners: NDArray[Any], factors: NDArray[Any], size: int
    ) -> Points:
        """Peaks near the places that the five points promise, then again near those that the first peaks promise."""
        apart = np.linalg.norm(five[:, 0] - five[:, 1], axis=1) / factors[:, 0, 0]
        known = five
        for spread in SPREADS:
            expected = to_crops(expected_points(known, size), corners, factors)
            known = from_crops(peaks(near(heatmaps, expected, spread * apart))[0], corners, factors)
        return known
