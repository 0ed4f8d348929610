"""`blindface compare`: paired differences between methods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.errors import InputError
from blindface.params import OBJECTIVES, load_params


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

    Example: blindface compare --images data/scores/objective2.parquet --images theirs.parquet --external
    theirs=objective2 --output differences.csv
    """
    from blindface.differences import compare_methods
    from blindface.methods import METHODS
    from blindface.progress import say

    objectives = {method.name: str(method.objective) for method in METHODS.values()}
    for text in external:
        name, _, objective = text.partition("=")
        if objective not in OBJECTIVES:
            raise InputError(f"--external {text}: write it as NAME=objective1 or NAME=objective2")
        objectives[name] = objective
    say(f"{output}: {compare_methods(images, objectives, load_params(params).evaluate, output)} differences")
