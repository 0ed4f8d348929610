"""`blindface pairs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.base.errors import InputError
from blindface.cli.app import ParamsOption, TargetsOption, app
from blindface.params.data import Objective, Part


@app.command("pairs")
def pairs_command(
    objective: Annotated[Objective, typer.Option(help="Whose ranges of equation (1) are used.")],
    part: Annotated[Part, typer.Option(help="The part of the split.")],
    targets: TargetsOption,
    split: Annotated[Path, typer.Option(help="The split.")],
    output: Annotated[Path, typer.Option(help="The packed pairs to write.")],
    workers: Annotated[int | None, typer.Option(help="Threads; default: all cores.", min=1)] = None,
    shard: Annotated[str, typer.Option(help="I/N: write the I-th of N shares into the folder --output.")] = "1/1",
    params: ParamsOption = [],
) -> None:
    """Make the blind images of one objective and part by equation (1).

    The bytes depend on the targets, the seed, the image ids and the parameters, not on the number of workers. With
    --shard, several machines can make one part: all commands read the folder of their shards as one file.

    Example: blindface pairs --objective objective1 --part test --targets data/targets.parquet --split data/split.csv
    --output data/pairs/objective1/test.parquet
    """
    from blindface.base.progress import say
    from blindface.degradation import make_pairs
    from blindface.params import load_params

    count = make_pairs(targets, split, objective, part, load_params(params).pairs, output, workers, _read_shard(shard))
    say(f"{output}: {count} pairs")


def _read_shard(text: str) -> tuple[int, int]:
    first, slash, last = text.partition("/")
    if not (slash and first.isdigit() and last.isdigit()):
        raise InputError(f"--shard must be I/N, such as 1/4, got {text!r}")
    return int(first), int(last)
