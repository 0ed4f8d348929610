"""What precision costs in quality: the same short run in float32 and in bfloat16, judged on the validation part.

    python benchmarks/precision.py --data data --params params.yaml --epochs 5 --output precision.json

data: the folder that the pipeline made (targets, pairs, landmarks, weights). Each precision trains with each seed, from
the same first weights and on the same batches; the spread over the seeds tells which difference between precisions is
one. Printed per run are the validation's numbers at step 3, the images per second and the largest gradient norms.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from blindface.base.device import choose_device
from blindface.cli.train import find_weights
from blindface.params import RECIPES, Params, load_params
from blindface.training.session.engine import TrainFiles, train

SHOWN = ("psnr", "ssim", "lpips_squeeze", "images_per_second", "gradient_norm_generator", "gradient_norm_discriminator")


def files_of(data: Path, objective: str, params: Params) -> TrainFiles:
    """The files of one objective in the folder that the pipeline made."""
    pairs, manifest = data / "pairs" / objective, data / "weights" / "train" / "manifest.json"
    found = TrainFiles(
        data / "targets.parquet", pairs / "train.parquet", pairs / "validation.parquet", data / "landmarks.parquet"
    )
    return find_weights(found, params.train, manifest if manifest.is_file() else None)


def run(params: Params, options: argparse.Namespace, precision: str, seed: int, folder: Path) -> dict[str, Any]:
    """Train once; the last epoch's row of the last step, as numbers."""
    recipe = params.train.of(options.recipe).model_copy(update={"epochs": options.epochs})
    changes = {"precision": precision, "seed": seed, options.recipe: recipe}
    block = params.train.model_copy(update=changes)
    files = files_of(options.data, options.objective, params)
    train(
        block, options.recipe, options.objective, files, folder, pairs=params.pairs, device=choose_device(block.device)
    )
    with (folder / "history.csv").open() as file:
        row = list(csv.DictReader(file))[-1]
    return {name: float(row[name]) if row[name] else None for name in SHOWN}


def main() -> None:
    """Train with every precision and seed, print a line each and the means, write JSON."""
    options = _options()
    params = load_params(options.params)
    result: dict[str, Any] = {"objective": options.objective, "epochs": options.epochs, "runs": []}
    for seed in options.seeds:  # the first seed's precisions can be compared before the second one's have run
        for precision in options.precisions:
            with tempfile.TemporaryDirectory() as folder:
                row = run(params, options, precision, seed, Path(folder))
            result["runs"].append({"precision": precision, "seed": seed, **row})
            print(f"{precision}, seed {seed}: {_line(row)}", flush=True)
            if options.output:
                options.output.write_text(json.dumps(result, indent=2) + "\n")
    for precision in options.precisions:
        rows = [row for row in result["runs"] if row["precision"] == precision]
        means = {name: _mean([row[name] for row in rows]) for name in SHOWN}
        print(f"{precision}, mean of {len(rows)}: {_line(means)}")


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def _line(row: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in row.items() if value is not None)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder `data` of an experiment")
    parser.add_argument("--params", action="append", default=[], help="as of `blindface train`; several times")
    parser.add_argument("--recipe", choices=RECIPES, default="progressive")
    parser.add_argument("--objective", choices=("objective1", "objective2"), default="objective1")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "tf32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[2024, 2025])
    parser.add_argument("--output", type=Path, help="where to write JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
