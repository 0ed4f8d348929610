"""Speed of the metrics against a loop over pyiqa and lpips, image by image, on the same pictures and threads.

    python benchmarks/metrics.py [--images 64] [--threads 2] [--trunk TRUNK.pth]

Pictures are seeded noise at several scales; NIQE's pristine model is a made one (the numbers do not matter here, the
work is the same). LPIPS is timed with seeded random weights unless a squeezenet file is given. Prints milliseconds per
image and the ratio. pyiqa's multi-scale SSIM raises at 128 px, so it has no row.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io
import torch

from blindface.images import Image, to_signed
from blindface.metrics.lpips_distance import Lpips
from blindface.metrics.ms_ssim import combined, scales
from blindface.metrics.niqe import PristineModel, niqe
from blindface.metrics.psnr import psnr
from blindface.metrics.reference import PyiqaMetric
from blindface.metrics.ssim import ssim, ssim_y
from blindface.randomness import generator

STACK = 32


def pictures(count: int) -> tuple[Image, Image]:
    """Targets and damaged copies, uint8 (count, 128, 128, 3)."""
    random = generator(2024, "benchmark", "metrics")
    targets = []
    for _ in range(count):
        layers = [cv2.GaussianBlur(random.normal(size=(128, 128, 3)), (0, 0), sigma) for sigma in (1, 4, 16)]
        targets.append(128 + 30 * sum(layer / layer.std() for layer in layers))
    clean = np.clip(np.stack(targets), 0, 255).round().astype(np.uint8)
    noise = random.normal(0, 10, clean.shape)
    return clean, np.clip(clean + noise, 0, 255).round().astype(np.uint8)


def milliseconds(work: Callable[[int, int], Any], count: int, step: int) -> float:
    """Time per image of `work(start, stop)` over all images, `step` at a time, after one call to warm up."""
    work(0, step)
    start = time.perf_counter()
    for place in range(0, count, step):
        work(place, min(place + step, count))
    return (time.perf_counter() - start) / count * 1000


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trunk", type=Path, help="torchvision's squeezenet1_1 file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    count = arguments.images
    clean, damaged = pictures(count)
    x, y = torch.from_numpy(damaged), torch.from_numpy(clean)

    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        model_file, trunk = _files(Path(folder), arguments.trunk)
        model, distance = PristineModel.load(model_file), Lpips("squeeze", trunk)
        network = distance.network
        rows: dict[str, tuple[Callable[[int, int], Any], Callable[[int, int], Any] | None]] = {
            "psnr": (lambda a, b: psnr(x[a:b], y[a:b]), _loop(PyiqaMetric("psnr"), damaged, clean)),
            "ssim": (lambda a, b: ssim(x[a:b], y[a:b]), _loop(PyiqaMetric("ssimc"), damaged, clean)),
            "ssim_y": (lambda a, b: ssim_y(x[a:b], y[a:b]), _loop(PyiqaMetric("ssim"), damaged, clean)),
            "niqe": (lambda a, b: niqe(x[a:b], model), _loop(PyiqaMetric("niqe", model_file), damaged, None)),
            "lpips_squeeze": (
                lambda a, b: distance(x[a:b], y[a:b]),
                lambda a, b: network(to_signed(x[a:b]), to_signed(y[a:b])),
            ),
            "ssim, ms_ssim and ms_ssim_4": (lambda a, b: _pyramid(x[a:b], y[a:b]), None),
        }
        print(f"{count} images of 128 px, {arguments.threads} threads, stacks of {STACK} against one by one")
        for name, (ours, theirs) in rows.items():
            mine = milliseconds(ours, count, STACK)
            other = None if theirs is None else milliseconds(theirs, count, 1)
            beside = "" if other is None else f"{other:8.2f} ms one by one   {other / mine:5.1f} x"
            print(f"{name:28s} {mine:8.2f} ms  {beside}")


def _pyramid(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    found = scales(x, y)
    return combined(found, 5), combined(found, 4)


def _loop(metric: PyiqaMetric, damaged: Image, clean: Image | None) -> Callable[[int, int], Any]:
    return lambda a, b: metric(damaged[a:b], None if clean is None else clean[a:b])


def _files(folder: Path, trunk: Path | None) -> tuple[Path, Path]:
    model = folder / "niqe.mat"
    scipy.io.savemat(model, {"mu_prisparam": np.ones((1, 36)), "cov_prisparam": np.eye(36)})
    if trunk is None:
        from blindface.torchvision_repair import repair

        repair()
        from torchvision import models

        trunk = folder / "squeeze.pth"
        torch.save(models.squeezenet1_1(weights=None).state_dict(), trunk)
    return model, trunk


if __name__ == "__main__":
    main()
