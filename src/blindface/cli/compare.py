"""`blindface compare`: paired differences between methods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.cli.named import named_objectives
from blindface.params import load_params


@app.command("compare")
def compare_command(
    images: Annotated[list[Path], typer.Option(dir_okay=False, help="Values per image of a method; twice or more.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="CSV file of the differences.")],
    external: Annotated[
        list[str], typer.Option(help="Whose blind images an external method restored, as NAME=OBJECTIVE.")
    ] = [],
    params: ParamsOption = [],
) -> None:
    """Write how much methods differ, image by image, with 95 % intervals: far narrower than two intervals apart.

    Example: blindface compare --images data/scores/progressive2.parquet --images theirs.parquet --external
    theirs=objective2 --output differences.csv
    """
    from blindface.base.progress import say
    from blindface.evaluation.differences import compare_methods
    from blindface.restoration.methods import METHODS

    objectives = {method.name: str(method.objective) for method in METHODS.values()}
    objectives |= named_objectives(external, "--external")
    say(f"{output}: {compare_methods(images, objectives, load_params(params).evaluate, output)} differences")
