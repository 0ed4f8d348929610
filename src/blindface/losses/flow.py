"""Rectified flow: straight paths from a start to a target, the loss of their velocity, and the sampler that follows it.

Liu et al. 2023, "Flow straight and fast"; from the posterior mean, Ohayon et al. 2025, "Posterior-mean rectified flow"
(PMRF). Written m for the posterior mean, e for standard noise, x for the target, t from 0 to 1:
    z_0 = m + sigma e,   z_t = (1 - t) z_0 + t x,   loss = E |v(z_t, t) - (x - z_0)|^2,   dz / dt = v(z, t).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from blindface.base.numerics import in_full

Velocity = Callable[[Tensor, Tensor], Tensor]
"""States (N, 3, H, W) and times (N,) in [0, 1] -> velocities of the states' shape."""


def flow_start(mean: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """z_0 = m + sigma e. mean, noise: (N, 3, H, W); sigma: in units of images in [-1, 1]."""
    return mean + sigma * noise


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


def time_grid(steps: int, power: float = 1.0) -> list[float]:
    """The times 0 = t_0 < ... < t_steps = 1 at which Euler's method looks, t_k = (k / steps)^power.

    power 1: equal steps; below 1: long steps first and short ones at the end, where detail is made.
    """
    return [(step / steps) ** power for step in range(steps + 1)]


def follow_flow(velocity: Velocity, start: Tensor, times: Sequence[float]) -> Tensor:
    """Euler's method: z <- z + (t_(k+1) - t_k) v(z, t_k) along the grid; exact where paths are straight.

    start: (N, 3, H, W); times: ascending, see `time_grid`. Returns the state at the last time, float32 at least.
    """
    state = in_full(start)
    for now, following in pairwise(times):
        time = torch.full((len(state),), now, device=state.device, dtype=state.dtype)
        state = state + (following - now) * in_full(velocity(state, time))
    return state
