"""`blindface import-folder` and `blindface score-folder`: what another program made of the blind images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
from blindface.params.data import Objective

Folder = Annotated[Path, typer.Option(file_okay=False, help="Restored 128x128 PNGs, named by image id.")]
Pairs = Annotated[Path, typer.Option(dir_okay=False, help="The pairs whose blind images were restored.")]
Asked = Annotated[
    Objective | None, typer.Option(help="Whose blind images were restored: pairs of another are refused.")
]
Resize = Annotated[bool, typer.Option("--resize", help="Reduce square pictures larger than the targets to their size.")]

FEW = 2000
"""Below so many images a Fréchet distance is plainly larger than that of all: its bias falls with their number."""


@app.command("import-folder")
def import_folder_command(
    method: MethodOption,
    folder: Folder,
    pairs: Pairs,
    targets: TargetsOption,
    output: Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the restored images.")],
    objective: Asked = None,
    resize: Resize = False,
) -> None:
    """Pack another program's results like a method of ours, every file checked.

    Example: blindface import-folder --method theirs --folder restored --pairs data/pairs/objective2/test.parquet
    --targets data/targets.parquet --output data/restored/theirs.parquet
    """
    from blindface.base.progress import say
    from blindface.restoration.external import check_name, import_folder

    check_name(method)
    say(f"{method}: {import_folder(folder, pairs, targets, output, method, objective, resize)} images of {folder}")


@app.command("score-folder")
def score_folder_command(
    method: MethodOption,
    folder: Folder,
    pairs: Pairs,
    targets: TargetsOption,
    images: ImagesOption,
    output: NumbersOption,
    landmarks: LandmarksOption = None,
    weights: WeightsOption = None,
    objective: Asked = None,
    resize: Resize = False,
    params: ParamsOption = [],
) -> None:
    """Measure another program's results, by the protocols of docs/metrics.md, and print the numbers.

    The manifest of the weights records by which parameters the data are measured; --params changes single ones.

    Example: blindface score-folder --method theirs --folder restored --pairs data/pairs/objective2/test.parquet
    --targets data/targets.parquet --landmarks data/landmarks.parquet --weights data/weights/evaluate/manifest.json
    --images theirs.parquet --output theirs.json
    """
    from tempfile import TemporaryDirectory

    from blindface.evaluation.stage import evaluate
    from blindface.external.weights import Weights
    from blindface.restoration.external import check_name, import_folder

    check_name(method)
    files = Weights.load(weights)
    choice = load_params(params, files.parameters)
    with TemporaryDirectory() as scratch:
        restored = Path(scratch) / "restored.parquet"
        import_folder(folder, pairs, targets, restored, method, objective, resize)
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
    print("\n".join(lines(content)))


def lines(content: dict[str, Any]) -> list[str]:
    """The numbers of a score file, one metric per line; of how many images where it is not of all; what looks odd."""
    from blindface.evaluation.catalogue import FRECHET_NAMES
    from blindface.evaluation.failures import sentences

    images = content["images"]
    of_whom = f" of {content['objective']}" if content.get("objective") else ""
    printed = [f"{content['method']}, {images} images{of_whom}: over batches; per image [95 % interval]"]
    for name, entry in content["metrics"].items():
        if entry["unavailable"]:
            printed.append(f"  {entry['label']:28s} n/a: {entry['unavailable']}")
            continue
        batch = "" if entry["batch_mean"] is None else f"{entry['batch_mean']:.4f}"
        batch += "" if entry["batch_std"] is None else f" ± {entry['batch_std']:.4f}"
        image = "" if entry["image_mean"] is None else f"{entry['image_mean']:.4f}"
        image += "" if entry["interval"] is None else " [{:.4f}, {:.4f}]".format(*entry["interval"])
        some = f"  of {entry['counted']} of {images} images" if entry["counted"] < images else ""
        printed.append(f"  {entry['label']:28s} {batch:22s} {image}{some}".rstrip())
        if name in FRECHET_NAMES.values() and entry["counted"] < FEW:
            note = f"of {entry['counted']} images: the fewer, the larger; compare it at equal numbers only"
            printed.append(f"  {'':28s} {note}")
    return printed + [f"  note: {sentence}" for sentence in sentences(content["failures"], images)]
