"""`blindface targets`: the photographs decoded, cut square and resized."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.params import load_params


@app.command("targets")
def targets_command(
    archive: Annotated[
        Path, typer.Option(dir_okay=False, help="The tar of photographs, from `blindface photographs`.")
    ],
    output: Annotated[Path, typer.Option(dir_okay=False, help="Packed table of targets.")],
    skipped: Annotated[Path, typer.Option(dir_okay=False, help="CSV of the photographs left out, with the reason.")],
    params: ParamsOption = [],
    workers: Annotated[int, typer.Option(min=1, help="Threads; the result does not depend on it.")] = 1,
) -> None:
    """Decode all photographs to square targets of 128x128 pixels.

    Every member of the archive is checked first: links, paths that leave the folder and absurd sizes are refused.
    Photographs that are broken or too small are listed; more of them than fetch.skip_limit stops the run.

    Example: blindface targets --archive data/raw/photographs.archive --output data/targets.parquet
    --skipped data/skipped.csv --workers 4
    """
    from blindface.photographs.targets import make_targets

    make_targets(archive, load_params(params).fetch, output, skipped, workers)
