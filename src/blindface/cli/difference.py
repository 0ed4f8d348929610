"""`blindface difference`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import app


@app.command("difference")
def difference_command(
    before: Annotated[Path, typer.Argument(help="A metrics.json, for example of the main branch.")],
    after: Annotated[Path, typer.Argument(help="The metrics.json to hold against it.")],
) -> None:
    """Print which metrics differ between two reports, as a Markdown table.

    Example: blindface difference main/metrics.json build/tiny/reports/metrics.json
    """
    from blindface.evaluation.difference import difference_of

    typer.echo(difference_of(before, after), nl=False)
