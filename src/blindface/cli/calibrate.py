"""`blindface calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, TargetsOption, app


@app.command("calibrate")
def calibrate_command(
    targets: TargetsOption,
    pairs: Annotated[list[Path], typer.Option(help="Packed pairs of a test part; give one per objective.")],
    output: Annotated[Path, typer.Option(help="The Markdown table to write.")],
    params: ParamsOption = [],
) -> None:
    """Compare the blind images with the paper's rows for them: PSNR, SSIM, MS-SSIM.

    Example: blindface calibrate --targets data/targets.parquet --pairs data/pairs/objective1/test.parquet
    --pairs data/pairs/objective2/test.parquet --output reports/calibration.md
    """
    from blindface.evaluation.calibration import calibrate
    from blindface.params import OBJECTIVES, load_params

    values = load_params(params)
    batches: dict[str, int] = {objective: values.train.progressive.batch_size_of(objective) for objective in OBJECTIVES}
    typer.echo(calibrate(targets, pairs, output, batches, values.restore.display, values.evaluate.device))
