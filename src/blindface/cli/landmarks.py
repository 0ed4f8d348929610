"""`blindface landmarks` and `blindface check-landmarks`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.base.errors import InputError
from blindface.cli.app import ParamsOption, TargetsOption, app


@app.command("landmarks")
def landmarks_command(
    targets: TargetsOption,
    output: Annotated[Path, typer.Option(dir_okay=False, help="Table of landmarks to write.")],
    archive: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The tar of photographs; backend 'exact' reads its list.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Manifest of `blindface weights`; backend 'exact' needs none.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Only the photographs of this split; default: all targets.")
    ] = None,
    params: ParamsOption = [],
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; default: the cores, 8 at most.")] = None,
) -> None:
    """Find 68 facial landmarks in every target, at 128 and at 64 pixels, with box, score, faces, yaw and pitch.

    Of several faces the one nearest the centre is taken; where there is none, the row says so and training gives no
    attention to that image. A stopped run goes on where it was when the same command is given again.

    Example: blindface landmarks --params params.yaml --params config/light.yaml --targets data/targets.parquet
    --weights data/weights/manifest.json --output data/landmarks.parquet
    """
    from blindface.base.progress import say
    from blindface.external.weights import Weights
    from blindface.landmarks.stage import exact_landmarks
    from blindface.params import load_params
    from blindface.split import read_split

    choice = load_params(params).landmarks
    ids = None if split is None else sorted(read_split(split))
    if choice.backend == "exact":
        if archive is None:
            raise InputError("landmarks.backend 'exact' needs --archive, the tar of the embedded set")
        found, missed = exact_landmarks(targets, archive, output, ids)
    else:
        from blindface.landmarks.run import run_landmarks

        found, missed = run_landmarks(targets, output, Weights.load(weights), ids, workers, **dict(choice))
    say(f"{output}: landmarks of {found} photographs, {missed} without a face")


@app.command("check-landmarks")
def check_landmarks_command(
    landmarks: Annotated[Path, typer.Option(dir_okay=False, help="The table of landmarks.")],
    targets: TargetsOption,
    reference: Annotated[
        Path | None, typer.Option(dir_okay=False, help="LFW's list of five points (lfw_landmark5.txt).")
    ] = None,
    archive: Annotated[Path | None, typer.Option(dir_okay=False, help="The tar of the embedded set.")] = None,
    output: Annotated[Path | None, typer.Option(dir_okay=False, help="Also write the numbers as JSON.")] = None,
) -> None:
    """Measure landmarks against LFW's list of five points, or against the embedded set's exact ones.

    Distances are in inter-ocular distances.

    Example: blindface check-landmarks --landmarks data/landmarks.parquet --targets data/targets.parquet
    --reference mirror/lfw/lfw_landmark5.txt
    """
    from blindface.base.files import write_json
    from blindface.landmarks.measure import compare_exact, compare_five, describe

    if reference is not None:
        result = compare_five(landmarks, targets, reference)
    elif archive is not None:
        result = compare_exact(landmarks, targets, archive)
    else:
        raise InputError("give --reference (LFW's five points) or --archive (the embedded set) to measure against")
    if output is not None:
        write_json(output, result)
    print(describe(result))
