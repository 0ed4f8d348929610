"""What to do when the GPU's memory does not suffice: which batch size or precision fits by the plan's estimate."""

from __future__ import annotations

import torch

from blindface.base.image_table import count_rows
from blindface.base.numerics import Precision
from blindface.training.monitor.plan import count_work, fixed_bytes
from blindface.training.task import Task

HEADROOM = 0.9
"""Share of the free memory to plan with: allocation leaves gaps, libraries take work space."""


def advise(task: Task) -> str:
    """One sentence for a run that ran out of memory on the task's GPU."""
    free, _ = torch.cuda.mem_get_info(task.device)
    available = free + torch.cuda.memory_reserved(task.device)
    _, per_image = count_work(task.params, task.objective)
    left = HEADROOM * available - fixed_bytes(task.params, task.objective, count_rows(task.files.train))
    fitting = largest_batches(task.choice.batch_size, task.params.precision, per_image, left, task.processes.count)
    options = [
        f"train.{task.objective}.batch_size to {size}" + (f" with train.precision {precision}" if precision else "")
        for precision, size in fitting
        if size > 0
    ]
    remedy = f"set {' or '.join(options)}" if options else "use a GPU with more memory or fewer channels"
    return (
        f"the {available / 1e9:.3g} GB of the GPU do not suffice to train {task.objective} with batches of "
        f"{task.choice.batch_size}: {remedy}; a run that began is kept in its checkpoints"
    )


def largest_batches(
    failed: int, precision: Precision, per_image: float, left: float, processes: int
) -> list[tuple[str, int]]:
    """What would fit instead of a batch that has just failed: precisions (empty: the present one) and batch sizes.

    per_image: bytes in float32; left: bytes per GPU for the batch's share. A batch size is that of all processes and a
    multiple of their number; 0: none fits. Where the estimate would let fit what has failed, half of it.
    """

    def fit(bytes_per_image: float, most: int) -> int:
        size = max(int(left / bytes_per_image), 0) * processes
        return (size if size < failed else most) // processes * processes

    if precision == "bf16":
        return [("", fit(per_image / 2, failed // 2))]
    return [("", fit(per_image, failed // 2)), ("bf16", fit(per_image / 2, failed))]
