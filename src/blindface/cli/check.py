"""`blindface check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, TargetsOption, app


@app.command("check")
def check_command(
    targets: TargetsOption,
    split: Annotated[Path, typer.Option(help="The split.")],
    output: Annotated[Path, typer.Option(help="The counts to write, as JSON.")],
    pairs: Annotated[list[Path], typer.Option(help="Packed pairs; may be given several times.")] = [],
    landmarks: Annotated[Path | None, typer.Option(help="The landmarks of the targets.")] = None,
    skipped: Annotated[Path | None, typer.Option(help="The list of skipped photographs, to be counted.")] = None,
    params: ParamsOption = [],
) -> None:
    """Check the made data before anything trains on it: counts, overlap, sizes, ranges, a sample of bytes, landmarks.

    Example: blindface check --targets data/targets.parquet --split data/split.csv
    --pairs data/pairs/objective1/train.parquet --landmarks data/landmarks.parquet --output data/checked.json
    """
    from blindface.base.progress import say
    from blindface.check import check_data
    from blindface.params import load_params

    values = load_params(params)
    counts = check_data(targets, split, pairs, landmarks, output, values.split, values.pairs, skipped)
    parts = ", ".join(f"{count} {part}" for part, count in counts["parts"].items())
    say(f"{output}: {counts['photographs']} photographs ({parts}), {counts['hashes']} images compared byte by byte")
