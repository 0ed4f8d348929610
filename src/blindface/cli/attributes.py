"""`blindface attributes`: labels of the photographs, from a source that is named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.params import load_params


@app.command("attributes")
def attributes_command(
    archive: Annotated[Path, typer.Option(dir_okay=False, help="The archive of photographs.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="Table of labels to write.")],
    params: ParamsOption = [],
) -> None:
    """Bring labels of the photographs into one table: LFW's official attributes, predicted ones, or drawn ones.

    subgroups.attributes chooses. Where nothing can be had the table is empty and says why.

    Example: blindface attributes --params '{"fetch": {"source": "lfw-150"}}' --archive data/raw/photographs.archive
    --output data/attributes.parquet
    """
    from blindface.external.finder import Finder
    from blindface.subgroups.attributes import write_attributes

    write_attributes(load_params(params), archive, output, Finder.from_environment())
