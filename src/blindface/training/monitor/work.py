"""The work of a recipe's update, counted on tensors without values: arithmetic, and memory at the worst moment.

On PyTorch's meta device the recipe's own update runs with shapes alone. Counted are every convolution and matrix
product, forward and backward, a multiplication and an addition being two operations; and what the update keeps for its
backward passes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from blindface.networks import count_parameters
from blindface.params import Objective, RecipeName, TrainParams
from blindface.training.data import Batch
from blindface.training.recipes import Recipe, Setup, make_recipe

SIZES = (32, 64, 128)
COPIES = 4
"""Float32 copies of a trained network: weights, gradient, two moments of Adam. The generator has its EMA besides."""


def without_values(params: TrainParams, recipe: RecipeName, objective: Objective) -> Recipe:
    """A recipe whose tensors have shapes and no values."""
    return make_recipe(recipe, Setup(params, objective, torch.device("meta")))


def fixed_bytes(recipe: Recipe, images: int) -> float:
    """Bytes on each GPU that do not depend on the batch: networks, optimisers, average, data."""
    copies = COPIES * sum(count_parameters(network) for network in recipe.networks().values())
    copies += count_parameters(recipe.ema)
    return 4.0 * copies + images * 3 * (SIZES[-1] ** 2 + _input_size(recipe) ** 2)


def count_work(recipe: Recipe) -> tuple[float, float]:
    """GFLOP per image and update, and the bytes of float32 values kept for backward passes at the worst moment.

    recipe: made by `without_values`; of updates of different kinds, the mean work and the worst moment of all.
    """
    count = 2  # more than one, for deviations over the batch
    batch = meta_batch(recipe, count)
    operations, most = 0.0, 0.0
    weights = [weight for network in recipe.networks().values() for weight in network.parameters()]
    for place in range(recipe.period):
        recipe.updates = place
        with FlopCounterMode(display=False) as counter, saved_bytes(weights) as saved:
            recipe.update(batch)
        operations += counter.get_total_flops() / recipe.period
        most = max(most, saved.most)
    return operations / count / 1e9, most / count


def _input_size(recipe: Recipe) -> int:
    return int(recipe.network.input_size)  # type: ignore[arg-type]


def meta_batch(recipe: Recipe, count: int) -> Batch:
    """A batch of a recipe made by `without_values`, without values itself."""
    side = _input_size(recipe)
    return Batch(
        blind=torch.empty(count, 3, side, side, device="meta"),
        targets=[torch.empty(count, 3, size, size, device="meta") for size in SIZES],
        points=[torch.empty(count, 68, 2, device="meta") for _ in SIZES],
        found=torch.empty(count, dtype=torch.bool, device="meta"),
        draws=[draw[:count] for draw in recipe.draws(0, 0, 1)],
    )


class _Saved:
    """Counts the bytes that are saved for backward passes: those of each storage while any tensor of it is held."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self.now, self.most = 0, 0
        self.holders: dict[int, int] = {}
        self.weights = {weight.untyped_storage()._cdata for weight in weights}

    def hold(self, tensor: Tensor) -> _Held | Tensor:
        """What autograd keeps in a tensor's place; weights are counted by themselves."""
        return tensor if tensor.untyped_storage()._cdata in self.weights else _Held(self, tensor)


class _Held:
    def __init__(self, saved: _Saved, tensor: Tensor) -> None:
        self.saved, self.tensor = saved, tensor
        self.storage = tensor.untyped_storage()
        self.key: int = self.storage._cdata
        if saved.holders.setdefault(self.key, 0) == 0:
            saved.now += self.storage.nbytes()
            saved.most = max(saved.most, saved.now)
        saved.holders[self.key] += 1

    def __del__(self) -> None:
        self.saved.holders[self.key] -= 1
        if self.saved.holders[self.key] == 0:
            self.saved.now -= self.storage.nbytes()


@contextmanager
def saved_bytes(weights: Iterable[Tensor]) -> Iterator[_Saved]:
    """Count the bytes that autograd saves within the block, weights left out: `now` and `most` of what it yields."""
    saved = _Saved(weights)

    def give(held: Any) -> Tensor:
        tensor: Tensor = held.tensor if isinstance(held, _Held) else held
        return tensor

    # What only the garbage collector frees counts as held, whenever it would run
    collects = gc.isenabled()
    gc.disable()
    try:
        with torch.autograd.graph.saved_tensors_hooks(saved.hold, give):
            yield saved
    finally:
        if collects:
            gc.enable()
