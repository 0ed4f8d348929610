"""Following a rectified flow: where its paths start, and Euler's method along them (Liu et al. 2023, and PMRF).

`losses.flow` says what the velocity is.
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
