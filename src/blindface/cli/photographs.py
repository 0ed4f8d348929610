"""`blindface photographs`: one archive of photographs from any source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.params import load_params


@app.command("photographs")
def photographs_command(
    output: Annotated[Path, typer.Option(dir_okay=False, help="The tar that is written.")],
    params: ParamsOption = [],
    workers: Annotated[int, typer.Option(min=1, help="Processes that render; the bytes do not depend on it.")] = 1,
) -> None:
    """Get the photographs as one tar: LFW by hash, the rendered set, or a folder of images.

    Examples:
    blindface photographs --params '{"fetch": {"source": "lfw-150"}}' --output data/raw/photographs.archive
    blindface photographs --params '{"fetch": {"source": "folder", "folder": "~/faces"}}' --output faces.tar
    """
    from blindface.external.finder import Finder
    from blindface.photographs.sources import make_archive

    make_archive(load_params(params).fetch, output, Finder.from_environment(), workers)
