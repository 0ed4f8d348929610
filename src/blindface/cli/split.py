"""`blindface split`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from blindface.base.errors import InputError
from blindface.cli.app import ParamsOption, app


@app.command("split")
def split_command(
    targets: Annotated[Path, typer.Option(help="The packed targets, for the ids and people.")],
    output: Annotated[Path, typer.Option(help="The split to write: CSV with id and part.")],
    people_train: Annotated[
        Path | None, typer.Option(help="LFW's peopleDevTrain.txt, for split.by 'official'; else fetched.")
    ] = None,
    people_test: Annotated[Path | None, typer.Option(help="LFW's peopleDevTest.txt, likewise.")] = None,
    params: ParamsOption = [],
) -> None:
    """Divide the photographs into a training, a validation and a test part.

    The lists depend on the ids and the seed alone: they are the same on every machine.

    Example: blindface split --targets data/targets.parquet --output data/split.csv --params '{"split": {"seed": 3}}'
    """
    from blindface.base.progress import say
    from blindface.params import load_params
    from blindface.split import make_split

    if (people_train is None) != (people_test is None):
        raise InputError("give --people-train and --people-test together, or neither")
    values = load_params(params).split
    official = (people_train, people_test) if people_train and people_test else None
    if values.by == "official" and official is None:
        # By name, so that a change of the registry is no change of the split's code: the lists are known by their hash
        find_file = importlib.import_module("blindface.external.finder").find_file
        official = (find_file("people_dev_train").path, find_file("people_dev_test").path)
    counts = make_split(targets, values, output, official)
    say(f"{output}: " + ", ".join(f"{count} {part}" for part, count in counts.items()))
