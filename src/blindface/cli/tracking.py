"""`blindface import-run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app


@app.command("import-run")
def import_run_command(
    model_dir: Annotated[Path, typer.Option(help="The folder of a trained model, with run.json and history.csv.")],
    name: Annotated[str | None, typer.Option(help="Name of the run; default: its objective.")] = None,
    params: ParamsOption = [],
) -> None:
    """Bring a finished training run into MLflow, once; the block `track` says where.

    For runs of a machine without MLflow, or where its store could not be reached.

    Example: blindface import-run --model-dir data/models/objective1
    """
    from blindface.params import load_params
    from blindface.progress import say
    from blindface.tracking import import_run

    track = load_params(params).track
    run_id, new = import_run(model_dir, track.uri, track.experiment, name)
    say(f"{track.uri}: run {run_id} " + ("imported" if new else "is there already, nothing changed"))
