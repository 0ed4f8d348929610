"""Sums and statistics over a batch of which several processes hold a part each, with exact gradients.

Gradients are those of the sum over the processes of what each of them differentiates: the backward of a sum over the
processes is that sum again. With losses that are means over equal parts of a batch, the mean over the processes of
such gradients is the gradient of the mean over the whole batch. Every process must run the same operations in the same
order.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from blindface.base.numerics import in_full

EPSILON = 1e-8
"""Under the root of a deviation: keeps its second derivative finite where all images agree."""


# An operator of its own, since PyTorch's collectives have no derivative that compiles.
@torch.library.custom_op("blindface::sum_over_processes", mutates_args=())
def sum_over_processes(x: Tensor) -> Tensor:
    """The sum of a tensor over all processes, in each of them."""
    result = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(result)
    return result


@sum_over_processes.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


sum_over_processes.register_autograd(lambda context, gradient: sum_over_processes(gradient))


def shared_deviation(features: Tensor, groups: int, processes: int) -> Tensor:
    """`batch_deviation` of a batch of which this process holds (groups * N, C, H, W). Returns (groups,)."""
    batches = in_full(features).reshape(groups, -1, *features.shape[1:])
    return _centre(batches, processes)[1].mean(dim=(1, 2, 3))


def shared_deviation_gradient(features: Tensor, processes: int) -> Tensor:
    """`batch_deviation_gradient` for this process's features of one group, (N, C, H, W) like them."""
    centred, deviation = _centre(in_full(features)[None], processes)
    return centred[0] / (deviation * (processes * features.numel()))


def _centre(batches: Tensor, processes: int) -> tuple[Tensor, Tensor]:
    """(groups, N, ...) less their mean over the whole batch, and its standard deviation (groups, ...)."""
    centred = batches - sum_over_processes(batches.mean(dim=1))[:, None] / processes
    variance = sum_over_processes(centred.square().mean(dim=1)) / processes
    return centred, torch.sqrt(variance + EPSILON)
