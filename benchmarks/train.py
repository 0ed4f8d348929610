"""Speed of training: a plain float32 loop, and the project's steps in bfloat16, eager and compiled, on one device.

    python benchmarks/train.py --output train.json

The variants are those of `benchmarks/variants.py`, with the default networks, losses and batch of the paper's recipe
and objective 1 (`--recipe`, `--objective`, `--params`, `--batch` choose others). Per variant: warm-up (which compiles),
then timed updates; printed are the images per second of updates in a row, the arithmetic per second (counted on the
recipe's own update, so that the plain loop's second forward run of the generator is not credited) and its share of the
GPU's peak: the data sheet's, and that of a large matrix product in the same run. A variant that fails is reported and
the others go on. `--tiny` is a check of the script on a CPU.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from variants import PLAIN, VARIANTS, add_choices, prepare, read_choices

from blindface.params import Objective, RecipeName, TrainParams
from blindface.training.monitor.work import count_work, without_values

DATA_SHEET = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense bfloat16 operations per second, NVIDIA's data sheets (SXM)."""


def measure(once: Callable[[], Any], device: torch.device, warm_up: int, seconds: float) -> dict[str, Any]:
    """Warm up, then time single passes for so many seconds, five at least."""

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    start = clock()
    for _ in range(warm_up):
        once()
    ready = clock()
    times: list[float] = []
    while len(times) < 5 or sum(times) < seconds:
        before = clock()
        once()
        times.append(clock() - before)
    # Passes in a row without waiting for the device between them, as in training
    before = clock()
    for _ in range(len(times)):
        once()
    row = (clock() - before) / len(times)
    memory = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else None
    return {
        "warm_up_s": ready - start,
        "passes": len(times),
        "pass_s": {"in_a_row": row, "median": statistics.median(times), "min": min(times), "max": max(times)},
        "memory_gb": memory,
    }


def matrix_product_speed(device: torch.device) -> float:
    """Operations per second of a large bfloat16 matrix product: what the GPU really gives."""
    side = 8192 if device.type == "cuda" else 256
    left = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    found = measure(lambda: left @ left, device, warm_up=3, seconds=1.0 if device.type == "cuda" else 0.1)
    speed: float = 2 * side**3 / found["pass_s"]["min"]
    return speed


def main() -> None:
    """Run the variants one after the other, print a table, write JSON."""
    options = _options()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    params, recipe, objective = read_choices(options)
    gflop, _ = count_work(without_values(params, recipe, objective))
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    product = matrix_product_speed(device)
    sheet = next((speed for key, speed in DATA_SHEET.items() if key in name), None)
    result: dict[str, Any] = {
        "device": name,
        "torch": torch.__version__,
        "recipe": recipe,
        "objective": objective,
        "gflop_per_image": gflop,
        "matrix_product_tflops": product / 1e12,
        "data_sheet_tflops": sheet and sheet / 1e12,
        "variants": {},
    }
    began = time.perf_counter()
    batches = options.batch or [2 if options.tiny else params.of(recipe).batch_size_of(objective)]
    for batch_size in batches:
        for variant in options.variants:
            key = f"{variant}, batch {batch_size}"
            if time.perf_counter() - began > options.limit:
                result["variants"][key] = {"error": f"left out: {options.limit} s are over"}
            else:
                result["variants"][key] = _try(variant, params, recipe, objective, batch_size, device, options.seconds)
            _judge(result["variants"][key], batch_size, gflop * 1e9, product, sheet)
            print(f"{key:32s} {_line(result['variants'][key])}", flush=True)
            if options.output:  # after every variant: what is measured is kept, whatever comes
                options.output.write_text(json.dumps(result, indent=2) + "\n")
    for batch_size in batches:
        _print_ratios(result["variants"], batch_size)


def _try(
    variant: str,
    params: TrainParams,
    recipe: RecipeName,
    objective: Objective,
    batch_size: int,
    device: torch.device,
    seconds: float,
) -> dict[str, Any]:
    try:
        once = prepare(variant, params, recipe, objective, batch_size, device)
        return measure(once, device, warm_up=3, seconds=seconds)
    except Exception as error:  # one failed variant must not cost the others
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"}
    finally:
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _judge(found: dict[str, Any], batch_size: int, operations: float, product: float, sheet: float | None) -> None:
    if "error" in found:
        return
    rate = batch_size / found["pass_s"]["in_a_row"]
    found["images_per_s"] = rate
    found["tflops"] = rate * operations / 1e12
    found["share_of_matrix_product"] = rate * operations / product
    found["share_of_data_sheet"] = rate * operations / sheet if sheet else None


def _line(found: dict[str, Any]) -> str:
    if "error" in found:
        return str(found["error"])
    sheet = found["share_of_data_sheet"]
    memory = found["memory_gb"]
    return (
        f"{found['images_per_s']:8.2f} img/s  {found['tflops']:7.2f} TFLOP/s  "
        f"{'' if sheet is None else f'{sheet:.1%} of the data sheet, '}"
        f"{found['share_of_matrix_product']:.1%} of a matrix product"
        f"{'' if memory is None else f', {memory:.1f} GB'}, warm-up {found['warm_up_s']:.0f} s"
    )


def _print_ratios(variants: dict[str, Any], batch_size: int) -> None:
    base = variants.get(f"{PLAIN}, batch {batch_size}", {}).get("images_per_s")
    for key, found in variants.items():
        if base and key.endswith(f", batch {batch_size}") and not key.startswith(PLAIN) and "images_per_s" in found:
            print(f"{key}: {found['images_per_s'] / base:.2f} times the {PLAIN}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_choices(parser)
    parser.add_argument("--batch", type=int, nargs="+", help="batch sizes (default: the objective's, 2 with --tiny)")
    parser.add_argument("--variants", nargs="+", choices=(PLAIN, *VARIANTS), help="default: all; --tiny: not compiled")
    parser.add_argument("--seconds", type=float, default=5.0, help="time for the passes of a variant, twice over")
    parser.add_argument("--limit", type=float, default=240.0, help="start no variant after so many seconds")
    parser.add_argument("--output", type=Path, help="where to write JSON")
    options = parser.parse_args()
    options.seconds = 0.0 if options.tiny else options.seconds
    order = [PLAIN, *VARIANTS]
    options.variants = options.variants or [name for name in order if not (options.tiny and "compiled" in name)]
    return options


if __name__ == "__main__":
    main()
