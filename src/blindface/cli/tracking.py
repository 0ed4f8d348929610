"""`blindface import-run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app


@app.command("import-run")
def import_run_command(
    model_dir: Annotated[Path, typer.Option(help="The folder of a trained model, with run.json and history.csv.")],
    scores: Annotated[
        list[Path], typer.Option(dir_okay=False, help="Scores of its test part, from `blindface evaluate`.")
    ] = [],
    name: Annotated[str | None, typer.Option(help="Name of the run; default: objective, overlay and start.")] = None,
    params: ParamsOption = [],
) -> None:
    """Bring a finished training run into MLflow, or complete it there; the block `track` says where.

    For runs of a machine without MLflow, or where its store could not be reached.

    Example: blindface import-run --model-dir data/models/progressive1 --scores data/scores/progressive1.json
    """
    from blindface.base.progress import say
    from blindface.params import load_params
    from blindface.tracking import import_run

    track = load_params(params).track
    run_id, new = import_run(model_dir, track.uri, track.experiment, name, scores)
    say(f"{track.uri}: run {run_id} " + ("is there now, whole" if new else "was there already"))
