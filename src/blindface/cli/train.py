"""`blindface train`: one model, a recipe's of an objective, from pairs to a generator."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from blindface.base.progress import say
from blindface.cli.app import ParamsOption, app
from blindface.params import OBJECTIVES, RECIPES, Objective, RecipeName, TrainParams, load_params

if TYPE_CHECKING:
    from blindface.training.session.engine import Status, TrainFiles

EXIT_INTERRUPTED, EXIT_TIME = 130, 75
"""Exit codes of a run that was left early: the shell's for Ctrl-C, and EX_TEMPFAIL of sysexits.h."""

File = Path | None


@app.command("train")
def train_command(
    objective: Annotated[str, typer.Option(help="objective1 (16 to 128 px) or objective2 (128 to 128 px).")],
    recipe: Annotated[str, typer.Option(help=f"How it is trained: {', '.join(RECIPES)}.")] = "progressive",
    targets: Annotated[File, typer.Option(dir_okay=False, help="Targets, from `blindface targets`.")] = None,
    train: Annotated[File, typer.Option(dir_okay=False, help="Pairs that train.")] = None,
    output: Annotated[File, typer.Option(file_okay=False, help="Folder of the model, history and checkpoints.")] = None,
    validation: Annotated[File, typer.Option(dir_okay=False, help="Pairs that validate.")] = None,
    landmarks: Annotated[File, typer.Option(dir_okay=False, help="Landmarks, for the attention loss.")] = None,
    weights: Annotated[File, typer.Option(dir_okay=False, help="Manifest of `blindface weights`.")] = None,
    begin: Annotated[
        File, typer.Option(dir_okay=False, help="The generator.safetensors that the recipe begins with, if it does.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print size, cost and expected time, and train nothing.")
    ] = False,
    time_limit: Annotated[
        float | None, typer.Option(min=0, help="Seconds after which to write a checkpoint and exit with status 75.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Delete what the folder holds and begin anew.")] = False,
    params: ParamsOption = [],
) -> None:
    """Train one model; the same command goes on where a killed or interrupted run stopped.

    Ctrl-C writes a checkpoint and leaves with status 130. Results: generator.safetensors, history.csv, run.json.

    Example: blindface train --params params.yaml --recipe progressive --objective objective1
    --targets data/targets.parquet --train data/pairs/objective1/train.parquet
    --validation data/pairs/objective1/validation.parquet --landmarks data/landmarks.parquet
    --weights data/weights/train/manifest.json --output data/models/progressive1
    """
    if objective not in OBJECTIVES:
        raise typer.BadParameter(f"{objective!r} is neither objective1 nor objective2", param_hint="--objective")
    if recipe not in RECIPES:
        raise typer.BadParameter(f"{recipe!r} is none of {', '.join(RECIPES)}", param_hint="--recipe")
    chosen = load_params(params)
    if train is None or (not plan and (targets is None or output is None)):
        needed = "--train" if plan else "--targets, --train and --output"
        raise typer.BadParameter(f"needed: {needed}", param_hint="options")
    if plan or targets is None or output is None:
        _print_plan(chosen.train, recipe, objective, train)
        return
    from blindface.training.distributed.launch import launch
    from blindface.training.distributed.processes import started_together

    if chosen.train.processes > 1 and not started_together():
        raise typer.Exit(launch(sys.argv[1:], chosen.train.processes))
    from blindface.base.device import choose_device
    from blindface.training.session.engine import TrainFiles
    from blindface.training.session.engine import train as run

    files = find_weights(TrainFiles(targets, train, validation, landmarks, begin=begin), chosen.train, weights)
    status = run(
        chosen.train,
        recipe,
        objective,
        files,
        output,
        pairs=chosen.pairs,
        track=chosen.track,
        device=choose_device(chosen.train.device),
        time_limit=time_limit,
        restart=restart,
    )
    if status != "finished":
        _leave_early(status)


@app.command("snapshot")
def snapshot_command(
    checkpoint: Annotated[Path, typer.Option(help="A checkpoint, or the folder of a model: its newest one.")],
    train: Annotated[Path, typer.Option(dir_okay=False, help="The pairs that the run trains on.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="Generator file to write.")],
    half: Annotated[
        bool, typer.Option("--half", help="Averaged weights alone, in half precision, as published models.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Write the generator of a run that is not finished, as it stood at a checkpoint, for `blindface restore`.

    Example: blindface snapshot --checkpoint data/models/progressive1 --train data/pairs/objective1/train.parquet
    --output build/snapshot.safetensors
    """
    from blindface.base.device import choose_device
    from blindface.training.session.snapshot import write_snapshot

    position = write_snapshot(checkpoint, train, output, half=half, device=choose_device(device))
    say(f"{output}: the generator at {position}")


def _leave_early(status: Status) -> NoReturn:
    why = "time is up" if status == "time" else "interrupted"
    with suppress(OSError):  # a reader such as `tee` may be gone after Ctrl-C
        say(f"blindface: {why}; run the same command again to go on")
    raise typer.Exit(EXIT_TIME if status == "time" else EXIT_INTERRUPTED)


def _print_plan(params: TrainParams, recipe: RecipeName, objective: Objective, pairs: Path) -> None:
    from blindface.base.image_table import count_rows
    from blindface.training.monitor.plan import plan

    print(plan(params, recipe, objective, count_rows(pairs)).describe())


def find_weights(files: TrainFiles, params: TrainParams, manifest: Path | None) -> TrainFiles:
    """Add the files of the perceptual backbone and of the validation's LPIPS, or why they are missing."""
    from dataclasses import replace

    from blindface.external.weights import Weights

    found = Weights.load(manifest)

    def find(name: str | None) -> tuple[Path | None, str | None]:
        missing = "left out by the parameters" if name is None else found.reason(name)
        return (None, missing) if missing or name is None else (found.path(name), None)

    backbone = params.perceptual.backbone
    perceptual, why = find(None if backbone == "none" else backbone)
    lpips, why_lpips = find("squeezenet1_1" if params.validation_lpips == "squeeze" else None)
    return replace(files, perceptual=perceptual, perceptual_missing=why, lpips=lpips, lpips_missing=why_lpips)
