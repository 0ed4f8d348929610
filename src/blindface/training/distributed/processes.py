"""The processes that train one model together: one per GPU, each with an equal share of every batch.

They are started by `blindface train` itself (`train.processes`), by torchrun or by whatever else sets the variables of
torchrun: RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT. Tensors on GPUs travel by NCCL, those on the CPU by
gloo. One process alone needs neither: all methods of `Processes` then do nothing or hand back what they were given.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from blindface.base import progress
from blindface.base.errors import BlindfaceError, DeviceError, ParameterError

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together. rank: from 0; count: of all, on all machines."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and tells what happens; it is the one of rank 0."""
        return self.rank == 0

    @property
    def mine(self) -> slice:
        """The part of a whole batch that is this process's: every n-th image."""
        return slice(self.rank, None, self.count)

    def part_of(self, batch_size: int) -> int:
        """Images of a batch per process. Errors: ParameterError if the shares would not be equal."""
        if batch_size % self.count:
            raise ParameterError(
                f"batches of {batch_size} images cannot be shared equally by {self.count} processes: "
                "choose a batch_size that is a multiple of train.processes"
            )
        return batch_size // self.count

    def average_gradients(self, gradients: list[Tensor]) -> None:
        """Replace each gradient by its mean over the processes: one message for all of them."""
        if self.count == 1:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        parts = torch.split(flat.div_(self.count), [gradient.numel() for gradient in gradients])
        torch._foreach_copy_(
            gradients, [part.view(gradient.shape) for part, gradient in zip(parts, gradients, strict=True)]
        )

    def average(self, values: Tensor) -> Tensor:
        """The mean of a tensor over the processes."""
        if self.count > 1 and values.numel():
            values = values.clone()
            dist.all_reduce(values)
            values /= self.count
        return values

    def most(self, *values: int) -> list[int]:
        """The largest of each number over the processes; all of them have arrived when this returns."""
        if self.count == 1:
            return list(values)
        together = torch.tensor(values, dtype=torch.int64)
        dist.all_reduce(together, op=dist.ReduceOp.MAX)
        return together.tolist()

    def share(self, make: Callable[[], T]) -> T:
        """What `make` returns in the leading process, in all of them; any picklable value.

        Errors: those of `make`, in the leading process; the others leave quietly with status 2.
        """
        if self.count == 1:
            return make()
        made: list[T | None] = [None]
        error: BlindfaceError | None = None
        if self.leads:
            try:
                made = [make()]
            except BlindfaceError as caught:
                error = caught
        self._fail_together(error)
        dist.broadcast_object_list(made, src=0, device=torch.device("cpu"))
        return made[0]  # type: ignore[return-value]

    def together(self, make: Callable[[], T]) -> T:
        """What `make` returns here, once it has returned everywhere.

        Errors: those of `make`, in the first process that has one; the others leave quietly with status 2.
        """
        try:
            result = make()
        except BlindfaceError as caught:
            self._fail_together(caught)
            raise
        self._fail_together(None)
        return result

    def lost(self, error: RuntimeError) -> bool:
        """Whether an error says that another process is gone."""
        return self.count > 1 and (isinstance(error, dist.DistError) or "gloo" in str(error))

    def _fail_together(self, error: BlindfaceError | None) -> None:
        """Leave if any process has an error; only the first one with an error tells it."""
        (first,) = self.most(0 if error is None else self.count - self.rank)
        if first == 0:
            return
        if error is not None and self.count - self.rank == first:
            raise error
        raise SystemExit(2)


ALONE = Processes()


def started_together() -> bool:
    """Whether a launcher such as torchrun started this process as one of several."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def join(device: torch.device) -> Iterator[tuple[Processes, torch.device]]:
    """Meet the other processes, if there are any; yields this one among them and the device that is its own.

    device: of type `cpu`, or `cuda` for the GPU whose number is the process's on its machine. Processes other than the
    leading one say nothing from then on. Errors: DeviceError if a machine has fewer GPUs than processes.
    """
    if not started_together():
        yield ALONE, device
        return
    processes = Processes(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    gpu = device.type == "cuda"
    if gpu:
        device = _own_gpu(int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", device_id=device if gpu else None)
    if not processes.leads:
        progress.hush()
    yield processes, device
    processes.most(0)  # the last messages of all are through
    dist.destroy_process_group()


def _own_gpu(number: int) -> torch.device:
    found = torch.cuda.device_count()
    if number >= found:
        raise DeviceError(
            f"process {number + 1} of this machine has no GPU, only {found} can be seen: start {found} processes "
            "(train.processes, or --nproc_per_node of torchrun)"
        )
    return torch.device("cuda", number)
