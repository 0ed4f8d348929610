"""`blindface split`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.errors import InputError


@app.command("split")
def split_command(
    targets: Annotated[Path, typer.Option(help="The packed targets, for the ids and people.")],
    output: Annotated[Path, typer.Option(help="The split to write: CSV with id and part.")],
    people_train: Annotated[
        Path | None, typer.Option(help="LFW's peopleDevTrain.txt, for split.by 'official'.")
    ] = None,
    people_test: Annotated[Path | None, typer.Option(help="LFW's peopleDevTest.txt, for split.by 'official'.")] = None,
    params: ParamsOption = [],
) -> None:
    """Divide the photographs into a training, a validation and a test part.

    The lists depend on the ids and the seed alone: they are the same on every machine.

    Example: blindface split --targets data/targets.parquet --output data/split.csv --params '{"split": {"seed": 3}}'
    """
    from blindface.params import load_params
    from blindface.progress import say
    from blindface.split import make_split

    if (people_train is None) != (people_test is None):
        raise InputError("give --people-train and --people-test together, or neither")
    official = (people_train, people_test) if people_train and people_test else None
    counts = make_split(targets, load_params(params).split, output, official)
    say(f"{output}: " + ", ".join(f"{count} {part}" for part, count in counts.items()))
