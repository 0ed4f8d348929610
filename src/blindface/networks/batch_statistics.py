"""Batch-norm statistics of averaged weights.

Running means and variances belong to the weights that made them. Those of a moving average of weights are none of the
recent ones and not their average either, so a generator with averaged weights is measured anew on training images.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_Norm = nn.modules.batchnorm._BatchNorm


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics of every batch norm by the plain mean over the given batches of inputs.

    batches: inputs of the network, (N, 3, S, S) in [-1, 1]; without any, the statistics stay as they are.
    Modes (train, eval) and momenta are as before afterwards. The result depends on nothing but weights and batches.
    """
    norms = [module for module in network.modules() if isinstance(module, _Norm)]
    momenta = [norm.momentum for norm in norms]
    modes = [module.training for module in network.modules()]
    first = True
    network.train()
    for batch in batches:
        if first:
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # a cumulative mean
            first = False
        network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for module, mode in zip(network.modules(), modes, strict=True):
        module.training = mode
