"""Quick checks during training: PSNR, SSIM and LPIPS on the validation part, and sample grids.

These steer and show; the numbers of the table come from the evaluation stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from blindface.base.files import atomic_path
from blindface.base.images import Image, signed_to_uint8
from blindface.training.data import Batch, ImageSet

if TYPE_CHECKING:
    from blindface.metrics.lpips_distance import Lpips

LPIPS_IMAGES = 64
Restore = Callable[[Tensor, Sequence[str]], list[Tensor]]
"""Blind images and their ids to the images of every step, see `Recipe.restore`."""


def batch_psnr(output: Tensor, target: Tensor) -> Tensor:
    """PSNR in dB from the mean squared error of a whole RGB batch; both (N, 3, H, W) in [-1, 1], output clipped."""
    error = (output.float().clamp(-1, 1) - target.float()).square().mean() / 4
    return -10 * torch.log10(error.clamp_min(1e-12))


def batch_ssim(output: Tensor, target: Tensor) -> Tensor:
    """Mean SSIM (Wang et al. 2004) over RGB with an 11-pixel Gaussian window of sigma 1.5, unpadded.

    Both (N, 3, H, W) in [-1, 1], H and W at least 11; output clipped.
    """
    first, second = (output.float().clamp(-1, 1) + 1) / 2, (target.float() + 1) / 2
    places = torch.arange(11, device=output.device, dtype=torch.float32) - 5
    line = torch.exp(-places.square() / (2 * 1.5**2))
    line = line / line.sum()
    stack = torch.cat((first, second, first * first, second * second, first * second))
    stack = stack.flatten(0, 1).unsqueeze(1)
    smooth = conv2d(conv2d(stack, line.view(1, 1, 11, 1)), line.view(1, 1, 1, 11))
    mean_1, mean_2, square_1, square_2, product = smooth.chunk(5)
    covariance = product - mean_1 * mean_2
    variances = square_1 - mean_1.square() + square_2 - mean_2.square()
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)
    bottom = (mean_1.square() + mean_2.square() + c1) * (variances + c2)
    return torch.mean(top / bottom)


@torch.no_grad()
def validate(
    restore: Restore, part: ImageSet, batch_size: int, distance: Lpips | None = None
) -> list[dict[str, float]]:
    """PSNR (mean over batches) and SSIM (mean over images) of each step, against the targets of its size.

    distance: gives the last step the mean LPIPS of the first LPIPS_IMAGES images besides. An empty part gives an empty
    list.
    """
    if len(part) == 0:
        return []
    psnr: list[Tensor] = []
    ssim: list[Tensor] = []
    distances: list[Tensor] = []
    for start, batch in iterate_batches(part, batch_size):
        outputs = restore(batch.blind, part.ids[start : start + len(batch.blind)])
        pairs = list(zip(outputs, batch.targets[-len(outputs) :], strict=True))
        psnr.append(torch.stack([batch_psnr(*pair) for pair in pairs]).double().cpu())
        ssim.append(torch.stack([batch_ssim(*pair) for pair in pairs]).double().cpu() * len(batch.blind))
        if distance is not None and start < LPIPS_IMAGES:
            distances.append(distance.between(outputs[-1].float().clamp(-1, 1), batch.target))
    means = torch.stack(psnr).sum(dim=0) / len(psnr), torch.stack(ssim).sum(dim=0) / len(part)
    scores = [{"psnr": float(one), "ssim": float(other)} for one, other in zip(*means, strict=True)]
    if distances:
        scores[-1]["lpips_squeeze"] = float(torch.cat(distances)[:LPIPS_IMAGES].mean())
    return scores


def iterate_batches(part: ImageSet, batch_size: int) -> Iterable[tuple[int, Batch]]:
    """The part's batches in file order, each with the place of its first image; the last one perhaps smaller."""
    for start in range(0, len(part), batch_size):
        stop = min(start + batch_size, len(part))
        yield start, part.batch(torch.arange(start, stop, device=part.targets.device))


@torch.no_grad()
def write_samples(restore: Restore, part: ImageSet, path: Path, count: int = 8) -> Path:
    """Write a PNG grid, one row per image: blind, the image of each step, target, all at 128 px; returns its path."""
    count = min(count, len(part))
    batch = part.batch(torch.arange(count, device=part.targets.device))
    columns = [batch.blind, *restore(batch.blind, part.ids[:count]), batch.target]
    images = [_enlarge(signed_to_uint8(column).cpu().numpy()) for column in columns]
    grid = np.concatenate([np.concatenate(list(row), axis=1) for row in zip(*images, strict=True)], axis=0)
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))
    return path


def _enlarge(images: Image) -> Sequence[Image]:
    return [np.asarray(cv2.resize(image, (128, 128), interpolation=cv2.INTER_NEAREST), np.uint8) for image in images]
