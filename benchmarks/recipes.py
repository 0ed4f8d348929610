"""Speed of the recipes mean, gan and flow: their update beside the plain loop, and other widths, in one run.

    python benchmarks/recipes.py --output recipes.json

First every recipe with its parameters (`--params`; default: params.yaml's, with the perceptual loss of
config/recipes.yaml) in each variant of `benchmarks/variants.py` that applies, then SWEEP, compiled and recorded alone.
Images are random. Written after every variant as JSON: images/s of updates in a row, GFLOP per image, TFLOP/s, memory,
warm-up (which compiles), parameters; with `--profile` the kernels that took longest. A variant that fails is reported
and the others go on; none is started after `--limit` seconds. `--tiny` is a check of the script on a CPU.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from train import measure
from variants import PLAIN, PLAIN_BF16, prepare, read_choices

from blindface.networks import count_parameters
from blindface.params import Objective, RecipeName, TrainParams, merge, validate
from blindface.training.monitor.work import count_work, without_values

RECIPES: tuple[RecipeName, ...] = ("mean", "gan", "flow")
BEST = "bf16 compiled recorded"
VARIANTS = (BEST, "bf16 compiled", PLAIN_BF16, PLAIN)
FEATURES = {"backbone": "vgg19_normalised", "layers": ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1"]}
WIDE = {"channels": [64, 128, 256, 384], "blocks": [2, 2, 2, 2]}
STEM = {"stem": 2, "channels": [128, 192, 256, 256], "blocks": [1, 2, 2, 1]}
SWEEP: tuple[tuple[RecipeName, str, dict[str, Any]], ...] = (
    ("mean", "batch 128", {"mean": {"batch_size": 128}}),
    ("mean", "24 at 128 px", {"mean": {"channels": [24, 128, 224, 256]}}),
    ("mean", "stem 2", {"mean": STEM}),
    ("mean", "deep", {"mean": {"channels": [32, 128, 256, 384]}}),
    ("mean", "wide, as the prototype", {"mean": WIDE}),
    ("gan", "stem 2", {"mean": STEM}),
    ("gan", "penalties at every 4th update", {"gan": {"penalty_every": 4}}),
    ("gan", "batch 64", {"gan": {"batch_size": 64}}),
    ("gan", "discriminator twice as deep", {"gan": {"discriminator_blocks": 2}}),
    ("gan", "discriminator narrow", {"gan": {"discriminator_channels": [64, 128, 256, 512]}}),
    ("gan", "discriminator grouped", {"gan": {"discriminator_expansion": 2, "discriminator_group": 16}}),
    ("flow", "stem 2", {"mean": STEM, "flow": {**STEM, "channels": [128, 192, 192, 192]}}),
    ("flow", "as wide as the mean", {"flow": {"channels": [32, 128, 224, 256], "blocks": [1, 2, 2, 2]}}),
)
"""Recipe, what is other, and the overlay of `train`."""


def cases(params: TrainParams, sweep: bool) -> Iterator[tuple[str, str, RecipeName, TrainParams]]:
    """Name, variant, recipe and parameters of all that is timed: what matters most first."""
    for variant in VARIANTS:
        for recipe in RECIPES:
            yield f"{recipe}, {variant}", variant, recipe, params
    if sweep:
        for recipe, what, overlay in SWEEP:
            changed = validate({"train": merge(params.model_dump(mode="json"), overlay)}).train
            yield f"{recipe}, {what}", BEST, recipe, changed


def time_case(
    variant: str, recipe: RecipeName, objective: Objective, params: TrainParams, options: argparse.Namespace
) -> dict[str, Any]:
    """Measure one case. Errors stay with it."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        made = without_values(params, recipe, objective)
        gflop, batch_size = count_work(made)[0], made.batch_size
        once = prepare(variant, params, recipe, objective, batch_size, device)
        found = measure(once, device, warm_up=8 if device.type == "cuda" else 1, seconds=options.seconds)
        rate = batch_size / found["pass_s"]["in_a_row"]
        found |= {"batch_size": batch_size, "images_per_s": rate, "gflop_per_image": gflop}
        found |= {"tflops": rate * gflop / 1e3}
        found |= {"parameters": {name: count_parameters(network) for name, network in made.networks().items()}}
        if options.profile and variant == BEST:
            found["kernels"] = longest_kernels(once)
        return found
    except Exception as error:  # one failed variant must not cost the others
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:600]}"}
    finally:
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def longest_kernels(once: Callable[[], Any], most: int = 25) -> list[dict[str, Any]]:
    """The kernels of three updates by the time they took: name, share of all, calls."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(3):
            once()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    events = profile.key_averages()
    times = {event.key: float(event.self_device_time_total or event.self_cpu_time_total) for event in events}
    total = sum(times.values()) or 1.0
    ranked = sorted(events, key=lambda event: -times[event.key])[:most]
    return [{"kernel": e.key[:120], "share": round(times[e.key] / total, 4), "calls": e.count} for e in ranked]


def main() -> None:
    """Time one case after the other, print a line each, write JSON."""
    options = _options()
    params, _, objective = read_choices(options)
    if not options.params:
        params = validate({"train": merge(params.model_dump(mode="json"), {"perceptual": FEATURES})}).train
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "torch": torch.__version__,
        "objective": objective,
        "cases": {},
    }
    began = time.perf_counter()
    for name, variant, recipe, changed in cases(params, sweep=not options.tiny):
        if options.tiny and "compiled" in variant:
            continue
        if time.perf_counter() - began > options.limit:
            result["cases"][name] = {"error": f"left out: {options.limit} s are over"}
        else:
            result["cases"][name] = time_case(variant, recipe, objective, changed, options)
        print(f"{name:42s} {_line(result['cases'][name])}", flush=True)
        if options.output:  # what is measured is kept, whatever comes
            options.output.write_text(json.dumps(result, indent=2) + "\n")
    for recipe in RECIPES:
        rates = {v: result["cases"].get(f"{recipe}, {v}", {}).get("images_per_s") for v in VARIANTS}
        for plain in (PLAIN_BF16, PLAIN):
            if rates[BEST] and rates[plain]:
                print(f"{recipe}: {rates[BEST] / rates[plain]:.2f} times the {plain}")


def _line(found: dict[str, Any]) -> str:
    if "error" in found:
        return str(found["error"])
    memory = "" if found["memory_gb"] is None else f", {found['memory_gb']:.1f} GB"
    return (
        f"{found['images_per_s']:8.1f} img/s  {found['tflops']:6.1f} TFLOP/s  {found['gflop_per_image']:6.1f} GFLOP"
        f"{memory}, warm-up {found['warm_up_s']:.0f} s"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objective", choices=("objective1", "objective2"), default="objective2")
    parser.add_argument("--params", action="append", default=[], help="as of `blindface train`; several times")
    parser.add_argument("--tiny", action="store_true", help="narrow networks, eager, to try the script on a CPU")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for the passes of a case, twice over")
    parser.add_argument("--limit", type=float, default=480.0, help="start no case after so many seconds")
    parser.add_argument("--profile", action="store_true", help="name the longest kernels of each recipe")
    parser.add_argument("--output", type=Path, help="where to write JSON")
    options = parser.parse_args()
    options.recipe = "mean"  # not used: all three are timed
    options.seconds = 0.0 if options.tiny else options.seconds
    return options


if __name__ == "__main__":
    main()
