"""`blindface export-pairs`, `export-images` and `export-onnx`: images and models for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import app


@app.command("export-pairs")
def export_pairs_command(
    targets: Annotated[Path, typer.Option(help="The packed targets.")],
    pairs: Annotated[Path, typer.Option(help="The packed pairs.")],
    output: Annotated[Path, typer.Option(help="The folder to write to; files are named by image id.")],
    image: Annotated[list[str], typer.Option(help="An image id; may be given several times.")] = [],
    limit: Annotated[int | None, typer.Option(help="Without ids: only the first so many.", min=1)] = None,
    kind: Annotated[str, typer.Option(help="blind, target, or pair: both side by side.")] = "pair",
) -> None:
    """Write pairs as PNG files, to look at them or to feed other tools.

    Example: blindface export-pairs --targets data/targets.parquet --pairs data/pairs/objective2/test.parquet --limit 20
    --output /tmp/look
    """
    from blindface.base.progress import say
    from blindface.degradation.export import export_pairs

    say(f"{output}: {export_pairs(targets, pairs, output, image, limit, kind)} images")


@app.command("export-onnx")
def export_onnx_command(
    model: Annotated[Path, typer.Option(dir_okay=False, help="Generator file of any recipe but flow.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="The .onnx file to write.")],
    weights: Annotated[str, typer.Option(help="ema: averaged weights; raw: the last ones.")] = "ema",
) -> None:
    """Write a trained model as ONNX: uint8 RGB images in and out, for onnxruntime without PyTorch.

    Example: blindface export-onnx --model data/models/gan1/generator.safetensors --output gan1.onnx
    """
    from blindface.base.progress import say
    from blindface.publish.onnx_export import export_onnx

    difference = export_onnx(model, output, weights)
    say(f"{output}: {output.stat().st_size / 1e6:.1f} MB, at most {difference} of 255 levels from PyTorch's images")


@app.command("export-images")
def export_images_command(
    table: Annotated[Path, typer.Option(help="Image table: restored images, targets or pairs.")],
    output: Annotated[Path, typer.Option(help="The folder to write to; files are named by image id.")],
    column: Annotated[str | None, typer.Option(help="The image column, where there are several.")] = None,
    image: Annotated[list[str], typer.Option(help="An image id; may be given several times.")] = [],
    limit: Annotated[int | None, typer.Option(help="Without ids: only the first so many.", min=1)] = None,
) -> None:
    """Write the images of a table as PNG files.

    Example: blindface export-images --table data/restored/progressive2.parquet --output restored
    """
    from blindface.base.png import export_images
    from blindface.base.progress import say

    say(f"{output}: {export_images(table, output, column, image, limit)} images")
