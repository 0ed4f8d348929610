"""What to do when the GPU's memory does not suffice: the batch size that fits by the plan's estimate."""

from __future__ import annotations

import torch

from blindface.base.image_table import count_rows
from blindface.training.monitor.work import count_work, fixed_bytes, without_values
from blindface.training.task import Task

HEADROOM = 0.9
"""Share of the free memory to plan with: allocation leaves gaps, libraries take work space."""


def advise(task: Task) -> str:
    """One sentence for a run that ran out of memory on the task's GPU."""
    free, _ = torch.cuda.mem_get_info(task.device)
    available = free + torch.cuda.memory_reserved(task.device)
    recipe = without_values(task.params, task.recipe, task.objective)
    _, per_image = count_work(recipe)
    half = task.params.precision == "bf16"
    left = HEADROOM * available - fixed_bytes(recipe, count_rows(task.files.train))
    size = fitting_batch(task.batch_size, per_image / (2 if half else 1), left, task.processes.count)
    remedy = f"set its batch_size to {size}" if size else "use a GPU with more memory or fewer channels"
    return (
        f"the {available / 1e9:.3g} GB of the GPU do not suffice to train {task.model} with batches of "
        f"{task.batch_size}: {remedy}{'' if half else ', or train.precision to bf16'}; a run that began is kept in its "
        "checkpoints"
    )


def fitting_batch(failed: int, per_image: float, left: float, processes: int) -> int:
    """The largest batch that fits, a multiple of the processes; 0: none does.

    per_image: bytes; left: bytes per GPU for the batch's share. Where the estimate would let fit what has failed, half
    of it.
    """
    size = max(int(left / per_image), 0) * processes
    return (size if size < failed else failed // 2) // processes * processes
