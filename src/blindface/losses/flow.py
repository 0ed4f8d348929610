"""Rectified flow: straight paths from a start to a target, and the loss of their velocity.

`networks.flow_sampling` makes the start and follows the paths.

Liu et al. 2023, "Flow straight and fast"; from the posterior mean, Ohayon et al. 2025, "Posterior-mean rectified flow"
(PMRF). Written m for the posterior mean, e for standard noise, x for the target, t from 0 to 1:
    z_0 = m + sigma e,   z_t = (1 - t) z_0 + t x,   loss = E |v(z_t, t) - (x - z_0)|^2,   dz / dt = v(z, t).
"""

from __future__ import annotations

import torch
from torch import Tensor

from blindface.base.numerics import in_full


def flow_state(start: Tensor, target: Tensor, time: Tensor) -> Tensor:
    """z_t = (1 - t) z_0 + t x. start, target: (N, 3, H, W); time: (N,) in [0, 1]."""
    time = time[:, None, None, None]
    return (1 - time) * start + time * target


def flow_loss(velocity: Tensor, start: Tensor, target: Tensor) -> Tensor:
    """The mean of |v - (x - z_0)|^2 over batch, channels and pixels. All: (N, 3, H, W). Returns a scalar."""
    return (in_full(velocity) - (in_full(target) - in_full(start))).square().mean()


def stratified_times(draws: Tensor) -> Tensor:
    """Times that cover [0, 1] evenly: the k-th of N lies in [k / N, (k + 1) / N). draws: (N,) uniform in [0, 1)."""
    places = torch.arange(len(draws), device=draws.device, dtype=draws.dtype)
    return (places + draws) / len(draws)
