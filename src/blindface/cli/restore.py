"""`blindface restore` and `blindface restore-steps`: the test part through the trained models."""

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
        str, typer.Option(help="One of the methods of src/blindface/restoration/methods.py, such as objective1.")
    ],
    pairs: Pairs,
    output: Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the restored images.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(dir_okay=False, help="Generator file; for sequence and parallel twice, in the method's order."),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Validation pairs of the same objective, to choose a strength or blend on."),
    ] = None,
    targets: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Packed targets; needed together with --validation.")
    ] = None,
    begun: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="What the first model of sequence or parallel restored of these pairs, not to be made again: the "
            "output of objective1 or objective2.",
        ),
    ] = None,
    params: ParamsOption = [],
) -> None:
    """Restore all blind images of a part by one method.

    classical1, classical2 and parallel have a number that is chosen on the validation part (restore.criterion).

    Example: blindface restore --method objective1 --model data/models/objective1/generator.safetensors
    --pairs data/pairs/objective1/test.parquet --output data/restored/objective1.parquet
    """
    parameters = load_params(params)
    choice = parameters.restore
    from blindface.base.device import choose_device
    from blindface.restoration.stage import Choosing, restore

    restore(
        method,
        pairs,
        model or [],
        output,
        weights=choice.weights,
        batch_size=choice.batch_size,
        device=choose_device(choice.device) if model else "cpu",
        interpolation=choice.display,
        choosing=Choosing(
            validation, targets, choice.criterion, choice.strengths, choice.blend, parameters.pairs.reduction
        ),
        self_ensemble=choice.self_ensemble_sigmas,
        begun=begun,
    )


@app.command("restore-steps")
def restore_steps_command(
    model: Annotated[Path, typer.Option(dir_okay=False, help="Generator file.")],
    pairs: Pairs,
    output: Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the three steps' images.")],
    params: ParamsOption = [],
) -> None:
    """Keep the outputs at 32, 64 and 128 px for the first few images (report.examples) of a part.

    Example: blindface restore-steps --model data/models/objective1/generator.safetensors
    --pairs data/pairs/objective1/test.parquet --output data/restored/objective1.steps.parquet
    """
    parameters = load_params(params)
    choice = parameters.restore
    from blindface.base.device import choose_device
    from blindface.restoration.stage import restore_steps

    device = choose_device(choice.device)
    restore_steps(
        pairs,
        model,
        output,
        parameters.report.examples,
        choice.weights,
        device,
        choice.self_ensemble_sigmas,
    )
