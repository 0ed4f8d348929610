"""Speed of equation (1) against a plain OpenCV loop in the same run, and the memory of the stage `pairs`.

    python benchmarks/degrade.py --workers 2                 # both objectives, synthetic targets, prints the ratios
    python benchmarks/degrade.py --targets data/targets.parquet --workers 2
    python benchmarks/degrade.py --memory 200000             # peak memory of the stage over so many images

The plain loop is what one writes first: one process, double-precision noise from NumPy's default generator, OpenCV's
blur, resize and JPEG with their defaults. Both do the same steps with the same draws. Runs alternate; the median of the
rounds is printed.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from blindface.degradation import Drawn, available_workers, degrade_many, draw, make_pairs, ranges_of
from blindface.images import Image
from blindface.packed import ROW_GROUP, PackedWriter, iterate_images
from blindface.params import OBJECTIVES, Objective, PairsParams

PARAMS = PairsParams()
SIDE = 128


def plain(target: Image, drawn: Drawn, size: int, rng: np.random.Generator) -> Image:
    """Equation (1) without care for speed."""
    side = 2 * drawn.k + 1
    blurred = cv2.GaussianBlur(target, (side, side), drawn.sigma)
    reduced = cv2.resize(blurred, (drawn.s, drawn.s), interpolation=cv2.INTER_LINEAR)
    noisy = reduced.astype(np.float64) + rng.normal(0.0, drawn.delta, reduced.shape)
    noisy = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, drawn.q])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[..., ::-1]
    return np.asarray(cv2.resize(decoded, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def plain_loop(targets: Image, names: list[str], objective: Objective) -> None:
    """All targets, one after the other."""
    rng = np.random.default_rng(2024)
    ranges = ranges_of(PARAMS, objective)
    for target, name in zip(targets, names, strict=True):
        plain(target, draw(PARAMS.seed, objective, name, ranges), ranges.u, rng)


def synthetic(count: int, first: int = 0) -> tuple[Image, list[str]]:
    """Smooth pictures with some texture, and their ids."""
    rng = np.random.default_rng(first)
    small = rng.integers(0, 256, (count, 24, 24, 3), dtype=np.uint8)
    stack = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for image in small])
    return stack, [f"P/P_{first + n:07d}" for n in range(count)]


def seconds(action: object, *arguments: object) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action(*arguments)  # type: ignore[operator]
    return time.perf_counter() - start


def measure_speed(targets: Image, names: list[str], workers: int, rounds: int) -> None:
    """Print images per second of both, and their ratio, per objective."""
    print(f"{len(names)} images, {workers} workers, {rounds} rounds, OpenCV {cv2.__version__}, NumPy {np.__version__}")
    print("| objective | plain loop [images/s] | blindface [images/s] | ratio |\n|---|---|---|---|")
    for objective in OBJECTIVES:
        slow, fast = [], []
        for _ in range(rounds):
            slow.append(seconds(plain_loop, targets, names, objective))
            fast.append(seconds(degrade_many, targets, names, objective, PARAMS, None, workers))
        rates = [len(names) / statistics.median(times) for times in (slow, fast)]
        ratio = statistics.median(one / other for one, other in zip(slow, fast, strict=True))
        print(f"| {objective} | {rates[0]:.0f} | {rates[1]:.0f} | {ratio:.2f} |")


def write_targets(folder: Path, count: int) -> None:
    """A packed table of synthetic targets, all in the training part."""
    columns = {"id": pa.string(), "sha256": pa.string()}
    with PackedWriter(folder / "targets.parquet", columns, {"target": (SIDE, SIDE, 3)}) as writer:
        for first in range(0, count, ROW_GROUP):
            stack, names = synthetic(min(ROW_GROUP, count - first), first)
            hashes = [hashlib.sha256(image).hexdigest() for image in stack]
            writer.append({"id": names, "sha256": hashes}, {"target": stack})
    rows = "".join(f"P/P_{n:07d},train\n" for n in range(count))
    (folder / "split.csv").write_text("id,part\n" + rows)


def measure_memory(count: int, workers: int) -> None:
    """Print the peak memory of the stage over `count` images, each objective in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        write_targets(Path(name), count)
        for objective in OBJECTIVES:
            command = [sys.executable, __file__, "--stage", name, "--objective", objective, "--workers", str(workers)]
            subprocess.run(command, check=True)


def run_stage(folder: Path, objective: Objective, workers: int) -> None:
    """The stage over the targets in `folder`; prints time and peak memory of this process."""
    output = folder / "pairs.parquet"
    taken = time.perf_counter()
    count = make_pairs(folder / "targets.parquet", folder / "split.csv", objective, "train", PARAMS, output, workers)
    taken = time.perf_counter() - taken
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform != "darwin" else 1 << 30)
    print(
        f"{objective}: {count} images in {taken:.1f} s ({count / taken:.0f}/s), peak memory {peak:.2f} GiB", flush=True
    )
    output.unlink()


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=available_workers())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--targets", type=Path, help="packed targets instead of synthetic ones")
    parser.add_argument("--memory", type=int, help="measure the stage's memory over so many images instead")
    parser.add_argument("--stage", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--objective", choices=OBJECTIVES, default="objective1", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        run_stage(options.stage, options.objective, options.workers)
    elif options.memory:
        measure_memory(options.memory, options.workers)
    else:
        targets, names = synthetic(options.images)
        if options.targets:
            names, targets = next(iterate_images(options.targets, "target", options.images))
        measure_speed(targets, names, options.workers, options.rounds)


if __name__ == "__main__":
    main()
