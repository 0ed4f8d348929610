"""Speed of equation (1) against a plain OpenCV loop in the same run, and the memory of the first stages.

    python benchmarks/degrade.py --workers 2                                  # synthetic targets: rates and ratios
    python benchmarks/degrade.py --workers 2 --targets data/targets.parquet   # real ones, and the time of all of them
    python benchmarks/degrade.py --memory 200000                              # peak memory of split, pairs and check

The plain loop is what one writes first: one process, double-precision noise from NumPy's default generator, OpenCV's
blur, resize and JPEG with their defaults. Both do the same steps with the same draws. Runs alternate; the median of the
rounds is printed. The time of all targets is that of the whole stage, from the packed targets to the packed pairs of
both objectives, hashes included.
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
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from blindface.base.image_table import ROW_GROUP, ImageTableWriter, iterate_images, read_table
from blindface.base.images import Image
from blindface.check import check_data
from blindface.degradation import Degrader, Drawn, available_workers, draw, make_pairs
from blindface.params import OBJECTIVES, PARTS, Objective, PairsParams, SplitParams
from blindface.split import make_split

PARAMS = PairsParams()
SPLIT = SplitParams()
SIDE = 128
STAGES = ("targets", "split", *OBJECTIVES, "check")


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
    ranges = PARAMS.of(objective)
    for target, name in zip(targets, names, strict=True):
        plain(target, draw(PARAMS.seed, objective, name, ranges), ranges.u, rng)


def synthetic(count: int, first: int = 0) -> tuple[Image, list[str]]:
    """Smooth pictures with some texture, and their ids."""
    rng = np.random.default_rng(first)
    small = rng.integers(0, 256, (count, 24, 24, 3), dtype=np.uint8)
    stack = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for image in small])
    return stack, [f"P{n:07d}/P{n:07d}_0001" for n in range(first, first + count)]


def seconds(action: object, *arguments: object) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action(*arguments)  # type: ignore[operator]
    return time.perf_counter() - start


def measure_speed(targets: Image, names: list[str], workers: int, rounds: int) -> None:
    """Print images per second of both, and their ratio, per objective and over both."""
    print(f"{len(names)} images, {workers} workers, {rounds} rounds, OpenCV {cv2.__version__}, NumPy {np.__version__}")
    print("| objective | plain loop [images/s] | blindface [images/s] | ratio |\n|---|---|---|---|")
    slow: dict[str, list[float]] = {objective: [] for objective in OBJECTIVES}
    fast: dict[str, list[float]] = {objective: [] for objective in OBJECTIVES}
    with ExitStack() as stack:
        ours = {objective: stack.enter_context(Degrader(objective, PARAMS, workers)) for objective in OBJECTIVES}
        for objective in OBJECTIVES:
            ours[objective].many(targets, names)  # starts the processes
        for _ in range(rounds):
            for objective in OBJECTIVES:
                slow[objective].append(seconds(plain_loop, targets, names, objective))
                fast[objective].append(seconds(ours[objective].many, targets, names))
    for objective in OBJECTIVES:
        _print_row(objective, len(names), slow[objective], fast[objective])
    both = [[sum(times) for times in zip(*found.values(), strict=True)] for found in (slow, fast)]
    _print_row("both", 2 * len(names), *both)


def _print_row(name: str, images: int, slow: list[float], fast: list[float]) -> None:
    rates = [images / statistics.median(times) for times in (slow, fast)]
    ratio = statistics.median(one / other for one, other in zip(slow, fast, strict=True))
    print(f"| {name} | {rates[0]:.0f} | {rates[1]:.0f} | {ratio:.2f} |", flush=True)


def measure_all(targets: Path, workers: int) -> None:
    """Print how long the stage takes over all packed targets, for each objective and both together."""
    times = []
    with tempfile.TemporaryDirectory() as name:
        split, output = Path(name) / "split.csv", Path(name) / "pairs.parquet"
        ids = sorted(read_table(targets)["id"])
        split.write_text("id,part\n" + "".join(f"{one},train\n" for one in ids))
        for objective in OBJECTIVES:
            times.append(seconds(make_pairs, targets, split, objective, "train", PARAMS, output, workers))
            print(
                f"{objective}: {len(ids)} pairs in {times[-1]:.1f} s ({len(ids) / times[-1]:.0f} images/s)", flush=True
            )
    print(f"both objectives of all {len(ids)} targets with {workers} workers: {sum(times):.1f} s")


def write_targets(folder: Path, count: int) -> None:
    """A packed table of synthetic targets."""
    columns = {"id": pa.string(), "person": pa.string(), "sha256": pa.string()}
    with ImageTableWriter(folder / "targets.parquet", columns, {"target": (SIDE, SIDE, 3)}) as writer:
        for first in range(0, count, ROW_GROUP):
            stack, names = synthetic(min(ROW_GROUP, count - first), first)
            hashes = [hashlib.sha256(image).hexdigest() for image in stack]
            people = [name.partition("/")[0] for name in names]
            writer.append({"id": names, "person": people, "sha256": hashes}, {"target": stack})


def measure_memory(count: int, workers: int, shards: int, place: Path | None) -> None:
    """Print the peak memory of each stage over `count` images, each in a process of its own."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        for stage in STAGES:
            options = ["--stage", stage, "--folder", name, "--workers", str(workers), "--shards", str(shards)]
            subprocess.run([sys.executable, __file__, *options, "--images", str(count)], check=True)


def run_stage(stage: str, folder: Path, images: int, workers: int, shards: int) -> None:
    """One stage over what stands in `folder`; prints time and peak memory of this process."""
    taken = time.perf_counter()
    count = _do_stage(stage, folder, images, workers, shards)
    taken = time.perf_counter() - taken
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform != "darwin" else 1 << 30)
    print(f"{stage}: {count} images in {taken:.1f} s ({count / taken:.0f}/s), peak memory {peak:.2f} GiB", flush=True)


def _do_stage(stage: str, folder: Path, images: int, workers: int, shards: int) -> int:
    targets, split = folder / "targets.parquet", folder / "split.csv"
    if stage == "targets":
        write_targets(folder, images)
        return images
    if stage == "split":
        return sum(make_split(targets, SPLIT, split).values())
    pairs = {one: [folder / one / f"{part}.parquet" for part in PARTS] for one in OBJECTIVES}
    if stage == "check":
        made = [path for paths in pairs.values() for path in paths]
        found = check_data(targets, split, made, None, folder / "checked.json", SPLIT, PARAMS)
        return sum(sum(parts.values()) for parts in found["pairs"].values())
    objective = next(one for one in OBJECTIVES if one == stage)
    return sum(
        make_pairs(targets, split, objective, part, PARAMS, path, workers, (shard, shards))
        for part, path in zip(PARTS, pairs[objective], strict=True)
        for shard in range(1, shards + 1)
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=available_workers())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=1000, help="images of a round")
    parser.add_argument("--targets", type=Path, help="packed targets instead of synthetic ones; times all of them too")
    parser.add_argument("--memory", type=int, help="measure the stages' memory over so many images instead")
    parser.add_argument("--shards", type=int, default=1, help="files per part, with --memory")
    parser.add_argument("--place", type=Path, help="where --memory writes 100 kB per image; default: the system's own")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        run_stage(options.stage, options.folder, options.images, options.workers, options.shards)
    elif options.memory:
        measure_memory(options.memory, options.workers, options.shards, options.place)
    elif options.targets:
        names, targets = next(iterate_images(options.targets, "target", options.images))
        measure_speed(targets, names, options.workers, options.rounds)
        measure_all(options.targets, options.workers)
    else:
        measure_speed(*synthetic(options.images), options.workers, options.rounds)


if __name__ == "__main__":
    main()
