"""Batch norm in training beyond PyTorch's: statistics over several processes, and renormalised ones.

Batch norm and the critic's deviation look at all images of a batch. Where several processes hold a part of it each,
`prepare_statistics` makes them look at those of the other processes too, so that a batch shared by several processes
gives the weights of one process, up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blindface.networks.discriminator import Discriminator
from blindface.networks.generator import Generator
from blindface.networks.shared_statistics import sum_over_processes
from blindface.numerics import in_full
from blindface.processes import ALONE, Processes

RAMP = (500, 3000)
"""Calls of a renormalised batch norm between which its corrections may grow to LARGEST_FACTOR and LARGEST_OFFSET."""
LARGEST_FACTOR, LARGEST_OFFSET = 3.0, 5.0
RENORMALISED_MOMENTUM = 0.01


# An operator of its own, for two reasons. A compiled backward computes anew what it can, and would do so from running
# statistics moved since. And fused with the batch's statistics, Triton 3.6 fails to compile it for a GPU ("operand #1
# does not dominate this use" in TritonGPURemoveLayoutConversions).
@torch.library.custom_op("blindface::renormalisation", mutates_args=())
def renormalisation(
    mean: Tensor, variance: Tensor, running_mean: Tensor, running_variance: Tensor, calls: Tensor, eps: float
) -> Tensor:
    """r and d of a batch as `TrainedBatchNorm2d` says, (2, C), from statistics (C,) each and the calls so far, ()."""
    begin, end = RAMP
    share = ((calls - begin) / (end - begin)).clamp(0, 1)
    largest, furthest = 1 + (LARGEST_FACTOR - 1) * share, LARGEST_OFFSET * share
    running = torch.sqrt(running_variance + eps)
    factor = (torch.sqrt(variance + eps) / running).clamp(1 / largest, largest)
    offset = ((mean - running_mean) / running).clamp(-furthest, furthest)
    return torch.stack((factor, offset))


@renormalisation.register_fake
def _(
    mean: Tensor, variance: Tensor, running_mean: Tensor, running_variance: Tensor, calls: Tensor, eps: float
) -> Tensor:
    return mean.new_empty((2, *mean.shape))


class TrainedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose training mode can span the parts of all processes, and can be renormalised.

    Over processes: equally many images in each; `torch.nn.SyncBatchNorm` does the same on GPUs alone.

    Renormalised (Ioffe, Batch Renormalization, 2017, algorithm 1): an image unlike all others of its batch sets the
    batch's statistics itself, so that it looks ordinary in training, but not by the running statistics that it is
    restored with; layer after layer the excess grows, to a grid over the face. So the output is corrected towards that
    of the running statistics m, s: (x - mean) / deviation * r + d, with r = deviation / s within [1 / R, R] and
    d = (mean - m) / s within [-D, D], both constants to the gradient. R and D grow with the calls from 1 and 0, which
    is plain batch norm, to 3 and 5.

    In evaluation mode it is the plain one.
    """

    def __init__(self, norm: nn.BatchNorm2d, processes: Processes = ALONE, renormalised: bool = False) -> None:
        """Take over weights and statistics of a plain batch norm, as they are."""
        super().__init__(norm.num_features, norm.eps, RENORMALISED_MOMENTUM if renormalised else norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.rank, self.count, self.renormalised = processes.rank, processes.count, renormalised

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W), N of this process. Returns the same shape and type; statistics in float32 at least."""
        if not self.training:
            return super().forward(x)
        full = in_full(x)
        variance, mean = torch.var_mean(full, dim=(0, 2, 3), correction=0)
        if self.count > 1:
            mean, variance = self._of_all(mean, variance)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift: Tensor = self.bias
        if self.renormalised:
            factor, offset = renormalisation(mean.detach(), variance.detach(), *self._running(), self.eps)
            scale, shift = scale * factor, shift + self.weight * offset
        self._track(mean.detach(), variance.detach(), full.numel() // self.num_features * self.count)
        result: Tensor = full * scale[:, None, None] + (shift - mean * scale)[:, None, None]
        return result.to(x.dtype)

    def _of_all(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the whole batch. One message: the statistics of every process, each in its own row."""
        own = torch.stack((mean, variance))
        rows = torch.stack([own if rank == self.rank else torch.zeros_like(own) for rank in range(self.count)])
        means, variances = sum_over_processes(rows).unbind(dim=1)
        return means.mean(dim=0), variances.mean(dim=0) + means.var(dim=0, correction=0)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, values: int) -> None:
        assert self.momentum is not None
        running_mean, running_var, calls = self._running()
        calls.add_(1)
        running_mean.lerp_(mean, self.momentum)
        running_var.lerp_(variance * (values / (values - 1)), self.momentum)

    def _running(self) -> tuple[Tensor, Tensor, Tensor]:
        """Running mean and variance, and the number of calls."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        return self.running_mean, self.running_var, self.num_batches_tracked


def prepare_statistics(
    generator: Generator, discriminator: Discriminator, processes: Processes = ALONE, renormalised: bool = False
) -> None:
    """Make the statistics of both networks those of all processes, and renormalise the generator's if so wanted.

    Names and values of the networks' tensors stay; one process without renormalisation keeps the networks as they are.
    """
    if processes.count == 1 and not renormalised:
        return
    for parent in list(generator.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, TrainedBatchNorm2d(child, processes, renormalised))
    discriminator.processes = processes.count
