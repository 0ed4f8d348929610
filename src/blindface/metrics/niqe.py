"""Natural image quality evaluator (Mittal, Soundararajan and Bovik 2013), no reference, lower is better.

An own implementation: the only dependency is the pristine model. It follows the published MATLAB code, as pyiqa's does:
luma rounded to whole levels, whole blocks of 96 px from the top left corner (a 128 px image has a single one), two
scales, no crop of the border. With a single block the covariance of the image is zero and Eq. 10 uses half the
pristine covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from blindface.base.errors import ExternalFileError
from blindface.metrics.operators import apply, gaussian_replicate, half_bicubic
from blindface.metrics.stacks import Stack, luma

BLOCK = 96
FEATURES = 36
FLAT = 1e-6
"""Levels below which a difference from the local mean is rounding: far below the least step of real ones (1e-4)."""
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Neighbours whose products are fitted: horizontal, vertical and both diagonals."""


@dataclass(frozen=True)
class PristineModel:
    """Mean (36,) and covariance (36, 36) of the features of pristine photographs, float64."""

    mean: torch.Tensor
    covariance: torch.Tensor

    @classmethod
    def load(cls, path: Path) -> PristineModel:
        """Read `niqe_modelparameters.mat`. Errors: ExternalFileError if it is not of that form."""
        import scipy.io

        try:
            content = scipy.io.loadmat(str(path))
            mean, covariance = content["mu_prisparam"].reshape(FEATURES), content["cov_prisparam"]
            if covariance.shape != (FEATURES, FEATURES):
                raise ValueError(f"covariance has shape {covariance.shape}")
        except Exception as error:  # scipy has many ways to say that a file is not its own
            raise ExternalFileError(f"{path} is not NIQE's pristine model ({error}): fetch it again") from error
        as_tensor = (torch.from_numpy(np.array(part, dtype=np.float64)) for part in (mean, covariance))
        return cls(*as_tensor)


def niqe(images: Stack, model: PristineModel) -> torch.Tensor:
    """NIQE of each image, float64 (N,); NaN where a block has no contrast at all. Images of at least 96 px."""
    features = block_features(images)
    blocks = features.shape[1]
    mean = features.mean(dim=1)
    pristine = model.covariance.to(features.device)
    if blocks == 1:
        inverse = torch.linalg.pinv(pristine / 2).expand(len(features), -1, -1)
    else:
        centred = features - mean.unsqueeze(1)
        own = centred.transpose(1, 2) @ centred / (blocks - 1)
        # NaN would stop the decomposition for the whole stack; the difference below carries it on
        inverse = torch.linalg.pinv((pristine + own.nan_to_num()) / 2)
    difference = (model.mean.to(features.device) - mean).unsqueeze(1)
    squared: torch.Tensor = difference @ inverse @ difference.transpose(1, 2)
    return squared.flatten().sqrt()


def block_features(images: Stack) -> torch.Tensor:
    """The 36 features of every whole block: float64 (N, blocks, 36), 18 at full and 18 at half size."""
    planes = luma(images)
    rows, columns = planes.shape[-2] // BLOCK, planes.shape[-1] // BLOCK
    if rows == 0 or columns == 0:
        raise ValueError(f"NIQE needs images of {BLOCK} px or more, got {tuple(planes.shape[-2:])}")
    planes = planes[..., : rows * BLOCK, : columns * BLOCK]
    scales = []
    for size in (BLOCK, BLOCK // 2):
        if size != BLOCK:
            planes = apply(half_bicubic(planes.shape[-2]), half_bicubic(planes.shape[-1]), planes)
        contrast = _normalised(planes)
        blocks = F.unfold(contrast, size, stride=size).transpose(1, 2).reshape(-1, size, size)
        scales.append(_features(blocks).reshape(len(planes), rows * columns, FEATURES // 2))
    return torch.cat(scales, dim=-1)


def _normalised(planes: torch.Tensor) -> torch.Tensor:
    """Locally normalised contrast, Eq. 1: window of 7 px, sigma 7/6, border repeated.

    Where the window sees one level only the contrast is zero, and belongs to neither side of the fit below. Left to
    rounding, such places (black or white backgrounds) count as positive or negative by chance, which moves NIQE by up
    to a few tenths between libraries, devices and precisions.
    """
    rows = gaussian_replicate(planes.shape[-2], 7, 7 / 6)
    columns = gaussian_replicate(planes.shape[-1], 7, 7 / 6)
    mean = apply(rows, columns, planes)
    variance = apply(rows, columns, planes * planes) - mean * mean
    difference = planes - mean
    difference = torch.where(difference.abs() < FLAT, 0.0, difference)
    return difference / (variance.abs().sqrt() + 1)


def _features(blocks: torch.Tensor) -> torch.Tensor:
    """Eq. 4 to 8: shape and spread of the contrast, then of its products with four neighbours; (B, 18)."""
    alpha, left, right = _fit(blocks)
    features = [alpha, (left + right) / 2]
    for shift in SHIFTS:
        alpha, left, right = _fit(blocks * torch.roll(blocks, shift, dims=(1, 2)))
        mean = (right - left) * (torch.lgamma(2 / alpha) - torch.lgamma(1 / alpha)).exp()
        features += [alpha, mean, left, right]
    return torch.stack(features, dim=-1)


def _fit(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Moment fit of an asymmetric generalised Gaussian to each block (B, h, w): alpha, left and right beta."""
    squares = blocks * blocks
    below, above = blocks < 0, blocks > 0
    left = ((squares * below).sum(dim=(1, 2)) / below.sum(dim=(1, 2))).sqrt()
    right = ((squares * above).sum(dim=(1, 2)) / above.sum(dim=(1, 2))).sqrt()
    ratio = left / right
    moments = blocks.abs().mean(dim=(1, 2)).square() / squares.mean(dim=(1, 2))
    wanted = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, table = (part.to(blocks.device) for part in _shape_table())
    # the table rises with the shape: the nearest entry is one of the two around the place of insertion
    upper = torch.searchsorted(table, wanted).clamp(1, len(table) - 1)
    nearer = (wanted - table[upper - 1]) <= (table[upper] - wanted)
    alpha = shapes[torch.where(nearer, upper - 1, upper)]
    spread = (torch.lgamma(1 / alpha) - torch.lgamma(3 / alpha)).exp().sqrt()
    return alpha, left * spread, right * spread


@lru_cache(maxsize=1)
def _shape_table() -> tuple[torch.Tensor, torch.Tensor]:
    """Shapes 0.2 to 10 in steps of 0.001, and the ratio of moments that each has."""
    shapes = torch.arange(200, 10_001, dtype=torch.float64) / 1000
    ratio = 2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes)
    return shapes, ratio.exp()
