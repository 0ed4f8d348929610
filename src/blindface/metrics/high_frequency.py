"""High-frequency energy kept: the share of the target's fine detail that a restored image has (the paper's issue f).

Blur keeps less than one, noise and ringing more: the ratio says how much detail there is, not whether it is right.
"""

from __future__ import annotations

from typing import Any

import torch

from blindface.metrics.stacks import Stack, as_pair, luma

CUTOFF = 0.25
"""Cycles per pixel, half of the highest frequency: detail finer than four pixels."""


def high_frequency_ratio(images: Stack, targets: Stack) -> torch.Tensor:
    """Energy of the image above CUTOFF over that of the target: float64 (N,); NaN where the target has none."""
    first, second = as_pair(images, targets)
    energy, wanted = _energy(luma(first)), _energy(luma(second))
    return torch.where(wanted > 0, energy / wanted, torch.nan)


def high_frequency_error(ratio: torch.Tensor) -> torch.Tensor:
    """How far a ratio is from one, in factors of two: |log2 ratio|; infinite detail lost is capped at 10."""
    return ratio.log2().abs().clamp(max=10)


def _energy(planes: torch.Tensor) -> torch.Tensor:
    """Spectral energy above CUTOFF of (N, 1, H, W), under a Hann window so that the border adds none."""
    height, width = planes.shape[-2:]
    kind: Any = {"dtype": planes.dtype, "device": planes.device}
    window = torch.hann_window(height, **kind)[:, None] * torch.hann_window(width, **kind)
    centred = planes - planes.mean(dim=(2, 3), keepdim=True)
    spectrum = torch.fft.rfft2(centred * window).abs().square()
    frequency = torch.hypot(torch.fft.fftfreq(height, **kind)[:, None], torch.fft.rfftfreq(width, **kind))
    # the columns of a real transform stand for two, except the first and the last
    weight = torch.full((spectrum.shape[-1],), 2.0, **kind)
    weight[0] = 1
    if width % 2 == 0:
        weight[-1] = 1
    energy: torch.Tensor = (spectrum * weight * (frequency > CUTOFF)).sum(dim=(1, 2, 3))
    return energy
