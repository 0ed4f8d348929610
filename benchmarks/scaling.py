"""Speed of training on several GPUs against one, with the same batch per GPU.

    torchrun --nproc_per_node=2 benchmarks/scaling.py --output scaling.json

The leading process first trains alone on its GPU while the others wait, then all train together: gradients averaged,
batch statistics those of the whole batch, or with `--statistics process` of each process's part: the compiled steps are
then those of one process and are not compiled twice. Printed are the images per second of both and their ratio. Passes,
networks, losses and data are those of `benchmarks/variants.py`. `--tiny` is a check of the script on CPUs.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from variants import VARIANTS, add_choices, prepare, read_choices

from blindface.training.distributed.processes import ALONE, Processes, join


def images_per_second(
    once: Callable[[], Any], images: int, passes: int, warm_up: int, device: torch.device, processes: Processes
) -> float:
    """Images of all processes per second, over passes in a row after some to warm up (which compile)."""

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        processes.most(0)
        return time.perf_counter()

    for _ in range(warm_up):
        once()
    before = clock()
    for _ in range(passes):
        once()
    return images * processes.count * passes / (clock() - before)


def main() -> None:
    """Measure alone, then together; print, write JSON."""
    options = _options()
    params, recipe, objective = read_choices(options)
    progressive = params.progressive.model_copy(update={"batch_statistics": options.statistics})
    params = params.model_copy(update={"progressive": progressive})
    batch = options.batch or (2 if options.tiny else params.of(recipe).batch_size_of(objective))
    passes, warm_up = (2, 1) if options.tiny else (options.passes, 4)
    gpu = torch.cuda.is_available() and not options.tiny
    with join(torch.device("cuda" if gpu else "cpu")) as (processes, device):

        def speed(group: Processes) -> float:
            began = time.perf_counter()
            once = prepare(options.variant, params, recipe, objective, batch, device, group)
            rate = images_per_second(once, batch, passes, warm_up, device, group)
            if processes.leads:  # compiling takes minutes: what is known already is told
                seconds = time.perf_counter() - began
                print(f"{group.count} of {processes.count}: {rate:.2f} images/s, {seconds:.0f} s in all", flush=True)
            del once
            gc.collect()
            if gpu:
                torch.cuda.empty_cache()
            return rate

        alone = processes.share(lambda: speed(ALONE))
        together = speed(processes)
        if not processes.leads:
            return
        result = {
            "device": torch.cuda.get_device_name(device) if gpu else "CPU",
            "torch": torch.__version__,
            "recipe": recipe,
            "objective": objective,
            "variant": options.variant,
            "statistics": options.statistics,
            "processes": processes.count,
            "batch_per_process": batch,
            "images_per_s_alone": alone,
            "images_per_s_together": together,
            "ratio": together / alone,
        }
        print(
            f"{options.variant}, batch {batch} per process, statistics of the {options.statistics}: "
            f"{alone:.2f} images/s alone, {together:.2f} with {processes.count} processes: "
            f"{together / alone:.2f} times as many"
        )
        if options.output:
            options.output.write_text(json.dumps(result, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_choices(parser)
    parser.add_argument("--variant", choices=tuple(VARIANTS), help="default: bf16 compiled; --tiny: bf16 eager")
    parser.add_argument("--batch", type=int, help="images per process (default: the objective's, 2 with --tiny)")
    parser.add_argument("--statistics", choices=("batch", "process"), default="batch")
    parser.add_argument("--passes", type=int, default=50)
    parser.add_argument("--output", type=Path, help="where to write JSON")
    options = parser.parse_args()
    options.variant = options.variant or ("bf16 eager" if options.tiny else "bf16 compiled")
    return options


if __name__ == "__main__":
    main()
