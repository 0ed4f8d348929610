"""`blindface report`: tables, figures and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app
from blindface.cli.named import named_paths
from blindface.params import load_params


@app.command("report")
def report(
    output: Annotated[Path, typer.Option(help="Folder of the report.")],
    params: ParamsOption = [],
    targets: Annotated[Path | None, typer.Option(help="Targets of all photographs.")] = None,
    split: Annotated[Path | None, typer.Option(help="Parts of the photographs.")] = None,
    pairs: Annotated[list[str], typer.Option(help="Test pairs, as OBJECTIVE=FILE; once per objective.")] = [],
    scores: Annotated[list[Path], typer.Option(help="Score file of a method; once per method.")] = [],
    images: Annotated[list[Path], typer.Option(help="Per-image scores, METHOD.parquet; once per method.")] = [],
    restored: Annotated[list[str], typer.Option(help="Restored images, as METHOD=FILE; once per method.")] = [],
    steps: Annotated[list[str], typer.Option(help="Outputs of the three steps, as MODEL=FILE.")] = [],
    spread: Annotated[list[str], typer.Option(help="Spread of a flow's samples, as MODEL=FILE.")] = [],
    models: Annotated[list[str], typer.Option(help="Folder of a trained model, as MODEL=FOLDER.")] = [],
    checked: Annotated[list[Path], typer.Option(help="Result of a data check; once per objective.")] = [],
    skipped: Annotated[Path | None, typer.Option(help="Photographs that were skipped, with reasons.")] = None,
    weights: Annotated[list[Path], typer.Option(help="Manifest of external weights; once per stage.")] = [],
    benchmarks: Annotated[Path | None, typer.Option(help="Folder of Snakemake's benchmark files.")] = None,
    memorisation: Annotated[Path | None, typer.Option(help="Numbers of `blindface memorisation`.")] = None,
    subgroups: Annotated[Path | None, typer.Option(help="Table of `blindface subgroups`.")] = None,
    groups: Annotated[Path | None, typer.Option(help="Notes of `blindface subgroups`.")] = None,
    photographs: Annotated[
        bool, typer.Option("--photographs/--no-photographs", help="Show pictures of faces, or leave all of them out.")
    ] = True,
) -> None:
    """Write metrics.md, metrics.json, per_image.csv, figures, plots and index.html.

    Every input is optional: what is missing is named in the report. Leave the photographs out of results that are
    published or kept in git.

    Example: blindface report --params params.yaml --scores data/scores/progressive1.json
    --images data/scores/progressive1.parquet --models progressive1=data/models/progressive1 --output reports
    """
    from blindface.base.version import find_commit
    from blindface.report import Sources, build_report

    sources = Sources(
        params=load_params(params),
        targets=targets,
        split=split,
        pairs=named_paths(pairs, "--pairs"),
        scores=scores,
        images=images,
        restored=named_paths(restored, "--restored"),
        steps=named_paths(steps, "--steps"),
        spread=named_paths(spread, "--spread"),
        models=named_paths(models, "--models"),
        checked=checked,
        skipped=skipped,
        weights=weights,
        benchmarks=benchmarks,
        memorisation=memorisation,
        subgroups=subgroups,
        groups=groups,
    )
    build_report(sources, output, photographs, find_commit())
