"""`blindface restore`, `restore-steps` and `restore-folder`: images through the trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.params import load_params

Pairs = Annotated[Path, typer.Option(dir_okay=False, help="Pairs to restore, from `blindface pairs`.")]


@app.command("restore")
def restore_command(
    method: Annotated[
        str, typer.Option(help="One of the methods of blindface/restoration/methods.py, such as progressive1.")
    ],
    pairs: Pairs,
    output: Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the restored images.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(dir_okay=False, help="Generator file; where the method passes two, twice, in its order."),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Validation pairs of the same objective, to tune a strength or blend on."),
    ] = None,
    targets: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Packed targets; needed together with --validation.")
    ] = None,
    begun: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="What the first of two models restored of these pairs, not to be made again: the output of its own "
            "method, such as progressive1 for sequence.",
        ),
    ] = None,
    params: ParamsOption = [],
) -> None:
    """Restore all blind images of a part by one method.

    Some methods have a number that is tuned on the validation part (restore.criterion): a strength or a blend.

    Example: blindface restore --method progressive1 --model data/models/progressive1/generator.safetensors
    --pairs data/pairs/objective1/test.parquet --output data/restored/progressive1.parquet
    """
    parameters = load_params(params)
    from blindface.base.device import choose_device
    from blindface.base.progress import say
    from blindface.restoration.methods import current_name
    from blindface.restoration.stage import restore

    if current_name(method) != method:
        say(f"--method {method} is now called {current_name(method)}: the old name works in this version only")
        method = current_name(method)
    device = choose_device(parameters.restore.device) if model else "cpu"
    reduction = parameters.pairs.reduction
    restore(method, pairs, model or [], output, parameters.restore, device, reduction, validation, targets, begun)


@app.command("restore-steps")
def restore_steps_command(
    model: Annotated[Path, typer.Option(dir_okay=False, help="Generator file.")],
    pairs: Pairs,
    output: Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the three steps' images.")],
    params: ParamsOption = [],
) -> None:
    """Keep the outputs at 32, 64 and 128 px for the first few images (report.examples) of a part.

    Example: blindface restore-steps --model data/models/progressive1/generator.safetensors
    --pairs data/pairs/objective1/test.parquet --output data/restored/progressive1.steps.parquet
    """
    parameters = load_params(params)
    choice = parameters.restore
    from blindface.base.device import choose_device
    from blindface.restoration.stage import restore_steps

    device = choose_device(choice.device)
    restore_steps(pairs, model, output, parameters.report.examples, choice.weights, device)


@app.command("restore-spread")
def restore_spread_command(
    model: Annotated[Path, typer.Option(dir_okay=False, help="Generator file of a flow.")],
    pairs: Pairs,
    output: Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the samples' mean and spread.")],
    params: ParamsOption = [],
) -> None:
    """Keep what a flow makes up, over restore.flow.samples samples, in the first few images (report.examples).

    Example: blindface restore-spread --model data/models/flow1/generator.safetensors
    --pairs data/pairs/objective1/test.parquet --output data/restored/flow1.spread.parquet
    """
    parameters = load_params(params)
    from blindface.base.device import choose_device
    from blindface.restoration.stage import restore_spread

    device = choose_device(parameters.restore.device)
    restore_spread(pairs, model, output, parameters.report.examples, parameters.restore, device)


@app.command("restore-folder")
def restore_folder_command(
    model: Annotated[Path, typer.Option(dir_okay=False, help="Generator file, such as a published one.")],
    folder: Annotated[Path, typer.Option(file_okay=False, help="Pictures of faces, cropped like those of LFW.")],
    output: Annotated[Path, typer.Option(file_okay=False, help="Folder for the restored PNGs, 128x128.")],
    params: ParamsOption = [],
) -> None:
    """Restore a plain folder of your own pictures by one model.

    Each picture's largest centred square is brought to the size that the model takes: 16x16 for objective 1, 128x128
    for objective 2. No face is looked for.

    Example: blindface restore-folder --model models/objective2.safetensors --folder mine --output restored
    """
    choice = load_params(params).restore
    from blindface.base.device import choose_device
    from blindface.base.progress import say
    from blindface.restoration.folder import restore_folder

    done = restore_folder(model, folder, output, choice, choose_device(choice.device))
    for name, reason in done.left_out.items():
        say(f"{name} is left out: {reason}")
    say(f"{output}: {done.pictures} pictures, each brought to {done.input_size}x{done.input_size} px before")
