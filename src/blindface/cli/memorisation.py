"""`blindface memorisation`: do the models give back faces that they were trained on?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, TargetsOption, app
from blindface.cli.named import named_paths
from blindface.params import load_params


@app.command("memorisation")
def memorisation_command(
    restored: Annotated[list[str], typer.Option(help="Restored test images, as METHOD=FILE; once per method.")],
    targets: TargetsOption,
    split: Annotated[Path, typer.Option(dir_okay=False, help="Parts of the photographs.")],
    landmarks: Annotated[Path, typer.Option(dir_okay=False, help="Landmarks of the targets.")],
    weights: Annotated[Path, typer.Option(dir_okay=False, help="Manifest of the weights of the metrics.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="JSON file of the numbers.")],
    params: ParamsOption = [],
) -> None:
    """Look restored test faces up among the training faces: are they nearer to these than their targets are?

    Example: blindface memorisation --restored gan1=data/restored/gan1.parquet --targets data/targets.parquet
    --split data/split.csv --landmarks data/landmarks.parquet --weights data/weights/evaluate/manifest.json
    --output data/memorisation.json
    """
    choice = load_params(params).evaluate
    from blindface.base.device import choose_device
    from blindface.base.progress import say
    from blindface.evaluation.memorisation import evaluate_memorisation
    from blindface.external.weights import Weights

    files = named_paths(restored, "--restored")
    device = choose_device(choice.device)
    found = evaluate_memorisation(files, targets, split, landmarks, Weights.load(weights), choice, output, device)
    for method, numbers in found["methods"].items():
        say(
            f"{method}: excess {numbers['excess']:+.4f}, recalled {numbers['recalled']:.1%} of {numbers['faces']} faces"
        )
