"""`blindface evaluate`: the metrics of one method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import (
    ImagesOption,
    LandmarksOption,
    MethodOption,
    NumbersOption,
    ParamsOption,
    TargetsOption,
    WeightsOption,
    app,
)
from blindface.params import load_params


@app.command("evaluate")
def evaluate_command(
    method: MethodOption,
    restored: Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the restored images.")],
    targets: TargetsOption,
    images: ImagesOption,
    output: NumbersOption,
    pairs: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The pairs whose blind images were restored: for consistency.")
    ] = None,
    landmarks: LandmarksOption = None,
    weights: WeightsOption = None,
    model: Annotated[
        list[Path], typer.Option(file_okay=False, help="Folder of a model behind the images: its run gets the scores.")
    ] = [],
    params: ParamsOption = [],
) -> None:
    """Measure restored images against their targets, by the protocols of docs/metrics.md.

    Example: blindface evaluate --method progressive1 --restored data/restored/progressive1.parquet
    --targets data/targets.parquet --landmarks data/landmarks.parquet --weights data/weights/manifest.json
    --images data/scores/progressive1.parquet --output data/scores/progressive1.json
    """
    import time

    from blindface.base.progress import say
    from blindface.evaluation.failures import sentences
    from blindface.evaluation.stage import evaluate
    from blindface.external.weights import Weights
    from blindface.tracking import attach_scores

    start = time.monotonic()
    files = Weights.load(weights)
    choice = load_params(params, files.parameters)
    content = evaluate(
        restored,
        targets,
        landmarks,
        files,
        choice.evaluate,
        method,
        images,
        output,
        network=choice.landmarks,
        pairs=pairs,
    )
    say(f"{method}: {content['images']} images measured in {time.monotonic() - start:.1f} s")
    for name, entry in content["metrics"].items():
        if entry["unavailable"]:
            say(f"  {name} n/a: {entry['unavailable']}")
        elif entry["counted"] < content["images"]:
            say(f"  {name} is of {entry['counted']} of {content['images']} images")
    for sentence in sentences(content["failures"], content["images"]):
        say(f"  note: {sentence}")
    attach_scores(output, model, choice.track)
