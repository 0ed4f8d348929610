"""Statistics of the whole batch where several processes hold a part of it each.

Batch norm and the critic's deviation look at all images of a batch. `synchronise` makes them look at those of the other
processes too, so that a batch shared by several processes gives the weights of one process, up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blindface.base.numerics import in_full
from blindface.networks.discriminator import Discriminator
from blindface.networks.generator import Generator
from blindface.networks.shared_statistics import sum_over_processes
from blindface.training.distributed.processes import Processes


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm in training mode over the parts of all processes, equally many images each.

    `torch.nn.SyncBatchNorm` does the same on GPUs alone. In evaluation mode it is the plain one.
    """

    def __init__(self, norm: nn.BatchNorm2d, processes: Processes) -> None:
        """Take over weights and statistics of a plain batch norm, as they are."""
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.rank, self.count = processes.rank, processes.count

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W), N of this process. Returns the same shape and type; statistics in float32 at least."""
        if not self.training:
            return super().forward(x)
        full = in_full(x)
        variance, mean = torch.var_mean(full, dim=(0, 2, 3), correction=0)
        # One message: the statistics of every process, each in its own row
        own = torch.stack((mean, variance))
        rows = torch.stack([own if rank == self.rank else torch.zeros_like(own) for rank in range(self.count)])
        means, variances = sum_over_processes(rows).unbind(dim=1)
        mean = means.mean(dim=0)
        variance = variances.mean(dim=0) + means.var(dim=0, correction=0)
        self._track(mean.detach(), variance.detach(), full.numel() // self.num_features * self.count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        result: Tensor = full * scale[:, None, None] + shift[:, None, None]
        return result.to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, values: int) -> None:
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (values / (values - 1)), self.momentum)


def synchronise(processes: Processes, generator: Generator, discriminator: Discriminator) -> None:
    """Make the statistics of the networks those of all processes. Names and values of their tensors stay."""
    for parent in list(generator.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, SynchronisedBatchNorm2d(child, processes))
    discriminator.processes = processes.count
