"""Multi-scale structural similarity over RGB, Wang et al. 2003.

Five scales of a 128 px image end at 8 px, where the 11 px window does not fit: libraries raise there. Two protocols:
`ms_ssim` shrinks the window to min(11, size), as the method's ancestor did (the paper-compatible one); `ms_ssim_4`
stops at the four scales where the window fits and renormalises their weights (the sound one).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from blindface.images import to_unit
from blindface.metrics.ssim import WINDOW, similarity_maps
from blindface.metrics.stacks import Stack, as_pair

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, table of Wang et al. 2003."""


def ms_ssim(images: Stack, targets: Stack) -> torch.Tensor:
    """Five scales, window min(11, size) at each: float64 (N,) in [0, 1]. Images of at least 16 px."""
    return _ms_ssim(images, targets, WEIGHTS)


def ms_ssim_4(images: Stack, targets: Stack) -> torch.Tensor:
    """The first four scales with weights that sum to one, window 11 at each: (N,). Images of at least 88 px."""
    first = as_pair(images, targets)[0]
    smallest = min(first.shape[1:3]) // 8
    if smallest < WINDOW:
        raise ValueError(f"the fourth scale has {smallest} px, the window {WINDOW}: images must have 88 px or more")
    total = sum(WEIGHTS[:4])
    return _ms_ssim(images, targets, tuple(weight / total for weight in WEIGHTS[:4]))


def _ms_ssim(images: Stack, targets: Stack, weights: tuple[float, ...]) -> torch.Tensor:
    first, second = as_pair(images, targets)
    x, y = to_unit(first).double(), to_unit(second).double()
    result = torch.ones(len(x), dtype=torch.float64, device=x.device)
    for scale, weight in enumerate(weights):
        if scale:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        luminance, structure = similarity_maps(x, y, min(WINDOW, *x.shape[-2:]))
        last = scale == len(weights) - 1
        similarity = (luminance * structure if last else structure).mean(dim=(1, 2, 3))
        # a negative mean has no real power: such an image shares no structure at that scale
        result = result * similarity.clamp(min=0) ** weight
    return result
