"""`blindface evaluate`: the metrics of one method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.params import load_params


@app.command("evaluate")
def evaluate_command(
    method: Annotated[str, typer.Option(help="The method's name, as it stands in the table.")],
    restored: Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the restored images.")],
    targets: Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the targets.")],
    images: Annotated[Path, typer.Option(dir_okay=False, help="Parquet file for the values of every image.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="JSON file for the numbers of the report.")],
    landmarks: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Landmarks of the targets; what looks at faces needs them."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Manifest of the weights; what is missing reads n/a.")
    ] = None,
    model: Annotated[
        list[Path], typer.Option(file_okay=False, help="Folder of a model behind the images: its run gets the scores.")
    ] = [],
    params: ParamsOption = [],
) -> None:
    """Measure restored images against their targets, by the protocols of docs/metrics.md.

    Example: blindface evaluate --method objective1 --restored data/restored/objective1.parquet
    --targets data/targets.parquet --landmarks data/landmarks.parquet --weights data/weights/manifest.json
    --images data/scores/objective1.parquet --output data/scores/objective1.json
    """
    choice = load_params(params)
    import time

    from blindface.evaluate import evaluate
    from blindface.external.weights import Weights
    from blindface.progress import say
    from blindface.tracking import attach_scores

    start = time.monotonic()
    files = Weights.load(weights)
    content = evaluate(
        restored, targets, landmarks, files, choice.evaluate, method, images, output, network=choice.landmarks
    )
    say(f"{method}: {content['images']} images measured in {time.monotonic() - start:.1f} s")
    for name, entry in content["metrics"].items():
        if entry["unavailable"]:
            say(f"  {name} n/a: {entry['unavailable']}")
    attach_scores(output, model, choice.track)
