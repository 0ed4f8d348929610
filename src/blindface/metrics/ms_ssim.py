"""Multi-scale structural similarity over RGB, Wang et al. 2003.

Five scales of a 128 px image end at 8 px, where the 11 px window does not fit: libraries raise there. Two protocols:
`ms_ssim` shrinks the window to min(11, size), as the method's ancestor did (the paper-compatible one); `ms_ssim_4`
stops at the four scales where the window fits and renormalises their weights (the sound one).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from blindface.base.images import to_unit
from blindface.metrics.ssim import WINDOW, similarity_maps
from blindface.metrics.stacks import Stack, as_pair

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, table of Wang et al. 2003."""


@dataclass(frozen=True)
class Scales:
    """Per scale, finest first, the mean SSIM and the mean of its contrast and structure terms: (scales, N) each."""

    similarity: torch.Tensor
    structure: torch.Tensor
    smallest: int
    """Side of the coarsest scale, in px."""


def scales(images: Stack, targets: Stack, count: int = len(WEIGHTS)) -> Scales:
    """Compare at full size and after each of count - 1 halvings. `similarity[0]` is `ssim` of the same images."""
    first, second = as_pair(images, targets)
    x, y = to_unit(first).double().contiguous(), to_unit(second).double().contiguous()
    similarity, structure = [], []
    for scale in range(count):
        if scale:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        luminance_map, structure_map = similarity_maps(x, y, min(WINDOW, *x.shape[-2:]))
        similarity.append((luminance_map * structure_map).mean(dim=(1, 2, 3)))
        structure.append(structure_map.mean(dim=(1, 2, 3)))
    return Scales(torch.stack(similarity), torch.stack(structure), min(x.shape[-2:]))


def ms_ssim(images: Stack, targets: Stack) -> torch.Tensor:
    """Five scales, window min(11, size) at each: float64 (N,) in [0, 1]. Images of at least 16 px."""
    return combined(scales(images, targets), 5)


def ms_ssim_4(images: Stack, targets: Stack) -> torch.Tensor:
    """The first four scales with weights that sum to one, window 11 at each: (N,). Images of at least 88 px."""
    found = scales(images, targets, 4)
    if found.smallest < WINDOW:
        raise ValueError(f"the fourth scale has {found.smallest} px, the window {WINDOW}: give 88 px or more")
    return combined(found, 4)


def combined(found: Scales, count: int) -> torch.Tensor:
    """The weighted product over the first `count` scales: the full SSIM at the coarsest, structure alone above it.

    A negative mean has no real power: it counts as zero, an image that shares no structure at that scale.
    """
    weights = torch.tensor(WEIGHTS[:count], dtype=torch.float64, device=found.structure.device)
    if count < len(WEIGHTS):
        weights = weights / weights.sum()
    terms = torch.cat([found.structure[: count - 1], found.similarity[count - 1 : count]])
    return (terms.clamp(min=0) ** weights[:, None]).prod(dim=0)
