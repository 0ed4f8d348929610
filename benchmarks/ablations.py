"""Ablations: equal, short trainings that differ in one thing each, through the project's own graph, and their table.

Every variant is a working directory of its own, in which Snakemake trains, restores the whole test part and evaluates
it. The photographs' stages are not repeated: their files are linked from one directory, and Snakemake makes again what
a variant's changes touch (another split, say). A second call does only what is missing.

    python benchmarks/ablations.py --configfile config/light.yaml config/tuned.yaml --directory build/ablations \\
        --output reports/lfw/ablations
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from blindface.params import merge

ROOT = Path(__file__).parents[1]
DATA = ("data/checked/objective1.json", "data/checked/objective2.json")
WEIGHTS = ("data/weights/train/manifest.json", "data/weights/evaluate/manifest.json")
MADE_HERE = ("models", "restored", "scores")
"""Folders below data that belong to a variant."""
METRICS = (
    ("PSNR ↑", "psnr_batch", 2),
    ("SSIM ↑", "ssim", 4),
    ("MS-SSIM ↑", "ms_ssim", 4),
    ("LPIPS ↓", "lpips_", 4),
    ("NIQE ↓", "niqe", 2),
    ("Fréchet ↓", "frechet_", 3),
)


@dataclass(frozen=True)
class Variant:
    """One training: its row's name, the objective, and what it changes; `of` names the variant it is a new seed of."""

    name: str
    objective: str
    changes: dict[str, Any] = field(default_factory=dict)
    of: str | None = None

    @property
    def folder(self) -> str:
        """Name of its working directory."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.name.lower())

    @property
    def model(self) -> str:
        """The model that is trained, which is also the row that restores by it."""
        return f"progressive{self.objective[-1]}"


def read_plan(path: Path) -> tuple[dict[str, Any], list[Variant]]:
    """The overlay common to all and the variants in their order, each with its further seeds behind it."""
    plan = yaml.safe_load(path.read_text())
    variants = []
    for entry in plan["variants"]:
        variant = Variant(entry["name"], entry["objective"], entry.get("changes") or {})
        variants.append(variant)
        for seed in entry.get("seeds", ()):
            changes = merge(variant.changes, {"train": {"seed": seed}})
            variants.append(Variant(f"{variant.name}, seed {seed}", variant.objective, changes, of=variant.name))
    return plan.get("common") or {}, variants


def snakemake(
    directory: Path, targets: Sequence[str], configs: Sequence[Path], cores: int, log: Path, gpu: str | None = None
) -> int:
    """Make targets in a working directory; returns the exit status, what was printed goes to `log`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(directory)]
    command += ["--cores", str(cores), "--resources", "gpu=1", "--scheduler", "greedy"]
    # Not by the set of inputs: the code's paths are relative to the working directory, which is another one here.
    command += ["--rerun-triggers", "mtime", "params", "--configfile", *map(str, configs), "--", *targets]
    environment = os.environ | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})
    with log.open("w") as output:
        return subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False).returncode


def link_data(source: Path, directory: Path) -> None:
    """Give a new working directory the data of another: files linked, Snakemake's records about them copied."""
    if directory.exists():
        return
    fresh = directory.with_name(directory.name + ".partial")
    shutil.rmtree(fresh, ignore_errors=True)
    skip = shutil.ignore_patterns(*MADE_HERE, "*.partial*")
    shutil.copytree(source / "data", fresh / "data", ignore=skip, copy_function=os.link)
    shutil.copytree(source / ".snakemake" / "metadata", fresh / ".snakemake" / "metadata")
    fresh.rename(directory)


def run(variant: Variant, options: argparse.Namespace, common: dict[str, Any], gpu: str | None) -> str | None:
    """Train, restore and evaluate one variant; returns what went wrong, or None."""
    directory = options.directory / variant.folder
    link_data(options.data, directory)
    overlay = directory / "overlay.json"
    overlay.write_text(json.dumps(merge(common, variant.changes), indent=1))
    configs = [*options.configfile, overlay.resolve()]
    log = directory / "snakemake.log"
    targets = [f"data/scores/{variant.model}.json"]
    if snakemake(directory, targets, configs, options.cores, log, gpu) == 0:
        return None
    return f"{variant.name} failed; the end of {log}:\n" + "".join(log.open().readlines()[-40:])


def run_all(variants: Sequence[Variant], options: argparse.Namespace, common: dict[str, Any]) -> list[str]:
    """All variants, one at a time on each GPU; none begins after the limit. Returns what went wrong."""
    waiting: queue.SimpleQueue[Variant] = queue.SimpleQueue()
    for variant in variants:
        waiting.put(variant)
    began, failures = time.monotonic(), []
    writing = threading.Lock()

    def work(gpu: str | None) -> None:
        while time.monotonic() - began < options.limit:
            try:
                variant = waiting.get_nowait()
            except queue.Empty:
                return
            wrong = run(variant, options, common, gpu)
            with writing:
                print(f"[{time.monotonic() - began:.0f} s] {wrong or variant.name}", flush=True)
                if wrong:
                    failures.append(wrong)
                write_tables(variants, options)

    cards = [card for card in options.gpus.split(",") if card] or [None]
    workers = [threading.Thread(target=work, args=(card,)) for card in cards]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return failures


def read_row(variant: Variant, directory: Path) -> dict[str, Any] | None:
    """The numbers of a finished variant."""
    folder = directory / variant.folder / "data"
    scores = folder / "scores" / f"{variant.model}.json"
    if not scores.is_file():
        return None
    found = json.loads(scores.read_text())
    record = json.loads((folder / "models" / variant.model / "run.json").read_text())
    metrics = {
        label: next((value["batch_mean"] for name, value in found["metrics"].items() if name.startswith(start)), None)
        for label, start, _ in METRICS
    }
    return {
        "name": variant.name,
        "objective": variant.objective,
        "of": variant.of,
        "changes": variant.changes,
        "images": found["images"],
        "seconds": record.get("seconds"),
        "sha256": record.get("weights_sha256"),
        "device": record.get("device"),
        "metrics": metrics,
    }


def write_tables(variants: Sequence[Variant], options: argparse.Namespace) -> None:
    """Write the rows that are finished as JSON and Markdown."""
    rows = [row for variant in variants if (row := read_row(variant, options.directory))]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
    options.output.with_suffix(".md").write_text(markdown(rows))


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """One row per variant; under a variant that was trained from several seeds their standard deviation."""
    lines = [f"| | {' | '.join(label for label, _, _ in METRICS)} |", "|---" + "|---:" * len(METRICS) + "|"]
    for row in (row for row in rows if row["of"] is None):
        lines.append(_line(row["name"], [row["metrics"][label] for label, _, _ in METRICS]))
        family = [row, *(other for other in rows if other["of"] == row["name"])]
        if len(family) > 1:
            spread = [_deviation([one["metrics"][label] for one in family]) for label, _, _ in METRICS]
            lines.append(_line(f"± over {len(family)} seeds", spread))
    return "\n".join(lines) + "\n"


def _line(name: str, values: Sequence[float | None]) -> str:
    cells = [
        "n/a" if value is None else f"{value:.{places}f}" for value, (_, _, places) in zip(values, METRICS, strict=True)
    ]
    return f"| {name} | {' | '.join(cells)} |"


def _deviation(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) > 1 else None


def main() -> None:
    """Make the data once, run the variants, print the table; exit status 1 if one failed."""
    options = _options()
    common, variants = read_plan(options.plan)
    if options.only:
        variants = [variant for variant in variants if variant.folder in options.only]
    if options.data is None:
        options.data = options.directory / "data-of-all"
        options.data.mkdir(parents=True, exist_ok=True)
        log = options.directory / "data.log"
        targets = [*DATA, *WEIGHTS]
        if snakemake(options.data, targets, options.configfile, options.cores * (options.gpus.count(",") + 1), log):
            sys.exit(f"the data could not be made: {log} says why")
    failures = run_all(variants, options, common)
    write_tables(variants, options)
    print(options.output.with_suffix(".md").read_text())
    sys.exit("\n".join(failures) or 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plan", type=Path, default=ROOT / "benchmarks/ablations.yaml", help="variants (YAML)")
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="overlays, as for snakemake")
    parser.add_argument("--directory", type=Path, required=True, help="holds one working directory per variant")
    parser.add_argument("--data", type=Path, help="a working directory whose data is ready (default: made here)")
    parser.add_argument("--only", nargs="*", help="names of variants, spaces and signs as dashes")
    parser.add_argument("--gpus", default="", help="cards that each take one variant at a time, as 0,1 (default: one)")
    parser.add_argument("--cores", type=int, default=4, help="CPU cores per variant")
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds after which none begins")
    parser.add_argument("--output", type=Path, required=True, help="where to write, without suffix")
    return parser.parse_args()


if __name__ == "__main__":
    main()
