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
    images: Annotated[
        list[Path],
        typer.Option(
            dir_okay=False,
            help="Values per image of a method, or a published per_image.csv of several; twice or more.",
        ),
    ],
    output: Annotated[Path, typer.Option(dir_okay=False, help="CSV file of the differences.")],
    reference: Annotated[
        str | None, typer.Option(help="The one method that all others are compared with; without: all pairs.")
    ] = None,
    external: Annotated[
        list[str],
        typer.Option(help="Whose blind images a method restored whose table does not say it, as theirs=objective2."),
    ] = [],
    params: ParamsOption = [],
) -> None:
    """Write how much methods differ, image by image, with 95 % intervals: far narrower than two intervals apart.

    Example: blindface compare --images reports/lfw/per_image.csv --images theirs.parquet --output differences.csv
    """
    from blindface.base.progress import say
    from blindface.evaluation.differences import compare_methods
    from blindface.restoration.methods import FORMER, METHODS

    objectives = {method.name: str(method.objective) for method in METHODS.values()}
    objectives |= {former: objectives[name] for former, name in FORMER.items()}
    objectives |= named_objectives(external, "--external")
    choice = load_params(params).evaluate if params else None
    compared = compare_methods(images, objectives, output, choice, reference)
    for sentence in compared.left_out:
        say(sentence)
    say(f"{output}: {compared.differences} differences")
