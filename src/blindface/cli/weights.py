"""`blindface weights`: the weight files that the parameters need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.params import load_params


@app.command("weights")
def weights_command(
    output: Annotated[Path, typer.Option(dir_okay=False, help="The manifest; the files are put beside it.")],
    params: ParamsOption = [],
) -> None:
    """Put the weight files that these parameters need beside a manifest, their hashes checked.

    Looked for in the folder BLINDFACE_MIRROR, then the cache, then the network. A file that cannot be had is an error,
    or with fetch.missing 'skip' a recorded reason: what needs it then reads n/a.

    Example: blindface weights --params params.yaml --params config/light.yaml --output data/weights/manifest.json
    """
    from blindface.external.finder import Finder
    from blindface.external.manifest import write_manifest

    write_manifest(load_params(params), output, Finder.from_environment())
