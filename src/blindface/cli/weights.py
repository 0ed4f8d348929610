"""`blindface weights`: the weight files that the parameters need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.params import load_params

STAGES = ("landmarks", "train", "evaluate")
"""The stages that read weight files."""


@app.command("weights")
def weights_command(
    output: Annotated[Path, typer.Option(dir_okay=False, help="The manifest; the files are put beside it.")],
    params: ParamsOption = [],
    stage: Annotated[str | None, typer.Option(help="Only what this stage reads: landmarks, train or evaluate.")] = None,
) -> None:
    """Put the weight files that these parameters need beside a manifest, their hashes checked.

    Looked for in the folder BLINDFACE_MIRROR, then the cache, then the network. A file that cannot be had is an error,
    or with fetch.missing 'skip' a recorded reason: what needs it then reads n/a.

    The rules keep a manifest per stage, so that another metric, which needs another file, retrains nothing.

    Example: blindface weights --params params.yaml --params config/light.yaml --output data/weights/manifest.json
    """
    from blindface.external.finder import Finder
    from blindface.external.manifest import write_manifest

    if stage not in (None, *STAGES):
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(STAGES)}", param_hint="--stage")
    choice = load_params(params)
    if choice.evaluate.pyiqa and stage in (None, "evaluate"):
        from blindface.metrics.pyiqa_metric import gather_files

        write_manifest(choice, output, Finder.from_environment(), stage, gather_files)
    else:
        write_manifest(choice, output, Finder.from_environment(), stage)
