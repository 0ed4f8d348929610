"""`blindface fetch`: everything from outside, for this machine or for one without a network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindface.base.errors import ExternalFileError
from blindface.base.progress import say
from blindface.cli.app import ParamsOption, app
from blindface.params import load_params

if TYPE_CHECKING:
    from blindface.external.collect import Row

COLUMNS = ("name", "size", "state", "where", "how to get it")


@app.command("fetch")
def fetch_command(
    params: ParamsOption = [],
    to: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Fill this folder, to be used as BLINDFACE_MIRROR on another machine."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Fetch nothing: print what is here, missing or wrong. Status 1 if not all is."),
    ] = False,
) -> None:
    """Fetch the photographs and weights that experiments need, and check their hashes.

    With --params: what that experiment needs. Without: every registered file (about 2.1 GB). What is there already and
    right is not fetched again.

    Example: blindface fetch --params params.yaml --params config/light.yaml --to /media/stick/blindface
    """
    from blindface.external.collect import fill, survey
    from blindface.external.finder import Finder

    finder = Finder.from_environment()
    names = finder.registry.needed(load_params(params)) if params else sorted(finder.registry.files)
    if check:
        rows = survey(names, Finder(to, finder.cache) if to else finder)
        _print(rows)
        raise typer.Exit(0 if all(row.state.state == "here" for row in rows) else 1)
    failures = fill(names, to, finder)
    where = f"in {to}: set BLINDFACE_MIRROR to it" if to else "at hand"
    print(f"{len(names) - len(failures)} of {len(names)} files are {where}")
    if failures:
        for reason in failures.values():
            say(f"blindface: {reason}")
        raise ExternalFileError(f"{', '.join(failures)} cannot be had: supply them as said above, then run this again")


def _print(rows: list[Row]) -> None:
    cells = [_cells(row) for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*COLUMNS)
        colours = {"here": "green", "missing": "yellow", "wrong": "red"}
        for line in cells:
            table.add_row(*line, style=colours[line[2]])
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(COLUMNS, *cells, strict=True)]
    for line in (COLUMNS, *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    size = f"{row.size / 1e6:,.1f} MB" if row.size else "?"
    return row.name, size, row.state.state, row.state.where, row.remedy
