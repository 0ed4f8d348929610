"""`blindface subgroups`: metrics by group of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.base.errors import InputError
from blindface.cli.app import ParamsOption, app
from blindface.cli.named import named, named_objectives, named_paths
from blindface.params import load_params


@app.command("subgroups")
def subgroups_command(
    images: Annotated[list[str], typer.Option(help="Scores per image, as METHOD=FILE; once per method.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="CSV file of the table.")],
    notes: Annotated[Path, typer.Option(dir_okay=False, help="JSON file that says what the groups are.")],
    inputs: Annotated[
        list[str], typer.Option(help="Whose blind images a method saw, as METHOD=OBJECTIVE; without: no gain.")
    ] = [],
    blind: Annotated[
        list[str], typer.Option(help="The method that is an objective's blind images, as OBJECTIVE=METHOD.")
    ] = [],
    pairs: Annotated[list[str], typer.Option(help="Test pairs, as OBJECTIVE=FILE, for the drawn strengths.")] = [],
    landmarks: Annotated[Path | None, typer.Option(dir_okay=False, help="Landmarks of the targets.")] = None,
    attributes: Annotated[Path | None, typer.Option(dir_okay=False, help="Table of `blindface attributes`.")] = None,
    params: ParamsOption = [],
) -> None:
    """Metrics by number of faces, pose, interference, labels of people, and strength of the degradation.

    Example: blindface subgroups --images gan1=data/scores/gan1.parquet --landmarks data/landmarks.parquet
    --attributes data/attributes.parquet --output reports/subgroups.csv --notes reports/subgroups.json
    """
    from blindface.base.image_table import read_table
    from blindface.base.progress import say
    from blindface.subgroups.stage import measure_subgroups
    from blindface.subgroups.table import Methods

    values = load_params(params)
    scores = {method: read_table(path) for method, path in named_paths(images, "--images").items()}
    for method, frame in scores.items():
        if "id" not in frame:
            raise InputError(f"the scores of '{method}' have no column 'id': make them with 'blindface evaluate'")
    methods = Methods(scores, named_objectives(inputs, "--inputs"), named(blind, "--blind", "METHOD"))
    choice = values.evaluate
    found = measure_subgroups(
        methods,
        landmarks,
        attributes,
        named_paths(pairs, "--pairs"),
        values.subgroups,
        choice.bootstrap,
        choice.seed,
        output,
        notes,
    )
    say(f"{output}: {found.groupby(['kind', 'objective', 'group']).ngroups} groups, {len(found):,} rows")
