"""Speed of the metrics: a whole evaluation as the stage runs it, and each metric against a loop over pyiqa or lpips.

    python benchmarks/metrics.py [--images 2646] [--device cpu|cuda] [--threads 2] [--compare 32] [--manifest FILE]

The first part writes image tables of as many pictures and calls `evaluation.stage.evaluate` with the light set
(config/light.yaml): reading, all metrics, bootstrap, Fréchet distance, the table per image and the JSON. It prints the
seconds, the images per second and the greatest memory. The second part times each metric on `--compare` pictures, in
stacks as the stage does, beside the reference library called image by image on the same device, and says what the
reference would need for all pictures (extrapolated from those).

--manifest names the weights (`blindface weights --params config/light.yaml --stage evaluate --output FILE`). Without it
LPIPS and NIQE get made weights, for the same work, and what looks at faces is left out. Pictures are seeded noise at
several scales; --restored, --targets and --landmarks take packed files of an experiment instead. pyiqa's MS-SSIM raises
at 128 px, so it has no reference. --json keeps the numbers.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import scipy.io
import torch

from blindface.base.device import choose_device, describe_device
from blindface.base.files import sha256_file, write_json
from blindface.base.image_table import ImageTableWriter, count_rows
from blindface.base.images import Image, to_signed
from blindface.base.randomness import generator
from blindface.evaluation.stage import STACK, evaluate
from blindface.external.weights import Weights
from blindface.landmarks.pose import expected_points
from blindface.landmarks.table import COLUMNS
from blindface.metrics.lpips_distance import Lpips
from blindface.metrics.ms_ssim import combined, scales
from blindface.metrics.niqe import PristineModel, niqe
from blindface.metrics.psnr import psnr
from blindface.metrics.pyiqa_metric import PyiqaMetric
from blindface.metrics.ssim import ssim, ssim_y
from blindface.params import load_params

LIGHT = Path(__file__).parents[1] / "config" / "light.yaml"
FIVE = np.array([[45.0, 55], [83, 55], [64, 76], [49, 94], [79, 94]], np.float32)
"""Eyes, nose and mouth corners of a face in the middle of the picture."""
Work = Callable[[int, int], Any]


def pictures(count: int) -> tuple[Image, Image]:
    """Targets and damaged copies, uint8 (count, 128, 128, 3)."""
    random = generator(2024, "benchmark", "metrics", count)
    clean = np.empty((count, 128, 128, 3), np.uint8)
    damaged = np.empty_like(clean)
    for place in range(count):
        noise = random.standard_normal((128, 128, 3), dtype=np.float32)
        layers = [cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (1, 4, 16)]
        picture = 128 + 30 * sum(layer / layer.std() for layer in layers)
        clean[place] = np.clip(picture, 0, 255).round()
        damaged[place] = np.clip(picture + 10 * random.standard_normal(picture.shape, np.float32), 0, 255).round()
    return clean, damaged


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    device = choose_device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        weights = _weights(Path(folder), arguments.manifest)
        whole = _whole(Path(folder), arguments, weights)
        rows = _compare(arguments.compare, device, weights, whole["images"]) if arguments.compare else []
    if arguments.json:
        write_json(
            arguments.json,
            {"device": describe_device(device), "cores": os.cpu_count(), "whole": whole, "metrics": rows},
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compare", type=int, default=32, help="pictures of the comparison; 0: none")
    parser.add_argument("--manifest", type=Path)
    for name in ("restored", "targets", "landmarks", "json"):
        parser.add_argument(f"--{name}", type=Path)
    return parser.parse_args()


def _whole(folder: Path, arguments: argparse.Namespace, weights: Weights) -> dict[str, Any]:
    """A whole evaluation, after one of a few pictures that warms libraries and GPU up."""
    params = load_params([LIGHT, f'{{"evaluate": {{"device": "{arguments.device}"}}}}'])

    def run(files: dict[str, Path]) -> dict[str, Any]:
        out = {"images_out": folder / "scores.parquet", "output": folder / "scores.json"}
        return evaluate(
            weights=weights, params=params.evaluate, method="benchmark", network=params.landmarks, **files, **out
        )

    given = {name: getattr(arguments, name) for name in ("restored", "targets", "landmarks")}
    run(_write(folder / "warm", min(32, arguments.images)))
    files = given if given["restored"] else _write(folder / "all", arguments.images)
    count = count_rows(files["restored"])
    start, busy = time.perf_counter(), time.process_time()
    metrics = run(files)["metrics"]
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    memory = {"resident_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)}
    if arguments.device == "cuda":
        memory["gpu_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    measured = [name for name, entry in metrics.items() if entry["unavailable"] is None]
    left_out = sorted(set(metrics) - set(measured))
    print(
        f"{count} images, {arguments.device}, {arguments.threads} threads: {seconds:.1f} s, {count / seconds:.0f} per s"
    )
    print(f"  {busy:.1f} s of processor time, which tells what an idle machine would need")
    print(f"  memory {memory}; measured {', '.join(measured)}; left out {', '.join(left_out) or 'nothing'}")
    return {
        "images": count,
        "seconds": round(seconds, 2),
        "processor_seconds": round(busy, 2),
        **memory,
        "measured": measured,
        "left_out": left_out,
    }


def _write(folder: Path, count: int) -> dict[str, Path]:
    """Packed targets, restored pictures and landmarks of as many pictures."""
    clean, damaged = pictures(count)
    ids = [f"p/p_{number:05d}" for number in range(count)]
    paths = {name: folder / f"{name}.parquet" for name in ("targets", "restored", "landmarks")}
    for name, column, images in (("targets", "target", clean), ("restored", "image", damaged)):
        with ImageTableWriter(paths[name], {"id": pa.string()}, {column: images.shape[1:]}) as writer:
            for start in range(0, count, 1024):
                rows = slice(start, start + 1024)
                writer.append({"id": ids[rows]}, {column: images[rows]})
    points = expected_points(FIVE[None], 128)[0].astype(np.float32)
    row: dict[str, Any] = {
        "found": True,
        "points_128": points.ravel(),
        "points_64": (points / 2).ravel(),
        "box": np.array([30, 30, 98, 112], np.float32),
        "score": 1.0,
        "faces": 1,
    }
    with ImageTableWriter(paths["landmarks"], COLUMNS) as writer:
        writer.append({"id": ids, **{name: [row.get(name, 0.0)] * count for name in COLUMNS if name != "id"}}, {})
    return paths


def _compare(count: int, device: torch.device, weights: Weights, images: int) -> list[dict[str, Any]]:
    """Every metric beside its reference, in milliseconds per image."""
    clean, damaged = pictures(count)
    x, y = torch.from_numpy(damaged).to(device), torch.from_numpy(clean).to(device)
    model = PristineModel.load(weights.path("niqe"))
    distance = Lpips("squeeze", weights.path("squeezenet1_1"), device)
    references = {
        "psnr": PyiqaMetric("psnr", device=device),
        "ssim": PyiqaMetric("ssimc", device=device),
        "ssim_y": PyiqaMetric("ssim", device=device),
    }
    own: dict[str, Work] = {
        "psnr": lambda a, b: psnr(x[a:b], y[a:b]),
        "ssim": lambda a, b: ssim(x[a:b], y[a:b]),
        "ssim_y": lambda a, b: ssim_y(x[a:b], y[a:b]),
        "ssim, ms_ssim and ms_ssim_4": lambda a, b: _pyramid(x[a:b], y[a:b]),
        "niqe": lambda a, b: niqe(x[a:b], model),
        "lpips_squeeze": lambda a, b: distance(x[a:b], y[a:b]),
    }
    others: dict[str, Work] = {name: _paired(metric, x, y) for name, metric in references.items()}
    pyiqa_niqe = PyiqaMetric("niqe", weights.path("niqe"), device)
    others["niqe"] = lambda a, b: pyiqa_niqe(x[a:b])
    others["lpips_squeeze"] = lambda a, b: distance.network(to_signed(x[a:b]), to_signed(y[a:b]))
    stack, rows = min(STACK[device.type], count), []
    print(f"{count} images, stacks of {stack} against one by one, ms per image")
    for name, work in own.items():
        mine = milliseconds(work, count, stack, device)
        other = milliseconds(others[name], count, 1, device) if name in others else None
        rows.append({"metric": name, "ms": round(mine, 3), "reference_ms": other and round(other, 3)})
        beside = (
            ""
            if other is None
            else f"{other:9.3f} one by one {other / mine:7.1f} x; all: {other * images / 1000:.0f} s"
        )
        print(f"  {name:28s} {mine:9.3f} {beside}")
    return rows


@contextmanager
def _synchronised(device: torch.device) -> Iterator[None]:
    """What a GPU was given is done at the begin and at the end."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def milliseconds(work: Work, count: int, step: int, device: torch.device) -> float:
    """Time per image of `work(start, stop)` over all images, `step` at a time, after one call to warm up."""
    with torch.inference_mode():
        work(0, step)
        with _synchronised(device):
            start = time.perf_counter()
            for place in range(0, count, step):
                work(place, min(place + step, count))
    return (time.perf_counter() - start) / count * 1000


def _paired(metric: PyiqaMetric, x: torch.Tensor, y: torch.Tensor) -> Work:
    return lambda a, b: metric(x[a:b], y[a:b])


def _pyramid(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    found = scales(x, y)
    return combined(found, 5), combined(found, 4)


def _weights(folder: Path, manifest: Path | None) -> Weights:
    if manifest is not None:
        return Weights.load(manifest)
    from blindface.base.torchvision_repair import repair

    repair()
    from torchvision import models

    scipy.io.savemat(folder / "niqe.mat", {"mu_prisparam": np.ones((1, 36)), "cov_prisparam": np.eye(36)})
    torch.save(models.squeezenet1_1(weights=None).state_dict(), folder / "squeeze.pth")
    made = {"niqe": "niqe.mat", "squeezenet1_1": "squeeze.pth"}
    files: dict[str, dict[str, str]] = {
        name: {"file": file, "sha256": sha256_file(folder / file)} for name, file in made.items()
    }
    files |= {name: {"missing": "no --manifest was given"} for name in ("mobilefacenet", "compressed_fan")}
    write_json(folder / "manifest.json", {"files": files})
    return Weights.load(folder / "manifest.json")


if __name__ == "__main__":
    main()
