"""`blindface publish` and `blindface readme`: what the repository keeps of an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app


@app.command("publish")
def publish_command(
    run: Annotated[Path, typer.Option(file_okay=False, help="Working directory of a finished experiment.")] = Path(),
    models: Annotated[Path, typer.Option(help="Folder for the published generators and their cards.")] = Path("models"),
    results: Annotated[Path, typer.Option(help="Folder for tables, curves and costs; filled anew.")] = Path(
        "reports/lfw"
    ),
    params: ParamsOption = [],
) -> None:
    """Keep what others need of an experiment: half-precision weights with cards, and all results without photographs.

    Example: blindface publish --run build/light --models models --results reports/lfw --params config/light.yaml
    """
    from blindface.base.errors import InputError
    from blindface.base.progress import say
    from blindface.params import OBJECTIVES, load_params
    from blindface.publish import publish_model, publish_results, write_card, write_overview, write_sample
    from blindface.restoration.methods import METHODS, lead_of

    choice = load_params(params)
    if choice.restore.weights != "ema":
        raise InputError("restore.weights is raw, but averaged weights are published: restore with ema, then publish")
    written = publish_results(run / "data", run / "reports", run / "logs", results)
    say(f"{results}: {len(written)} files")
    published: dict[str, Path] = {}
    for name, method in METHODS.items():
        folder, scores = run / "data" / "models" / name, run / "data" / "scores" / f"{name}.parquet"
        if not method.lead or not scores.is_file():
            continue
        output = published[name] = models / f"{name}.safetensors"
        digest = publish_model(folder, scores, output)
        write_sample(output, "objective1" if method.objective == "objective1" else "objective2")
        write_card(
            folder,
            scores.with_suffix(".json"),
            output.with_suffix(".md"),
            photographs=choice.fetch.source,
            digest=digest,
            groups=run / "reports" / "subgroups.csv",
        )
        say(f"{output}: {output.stat().st_size / 1e6:.1f} MB, sha256 {digest}")
    leads = {objective: lead_of(objective, published) for objective in OBJECTIVES}
    if all(leads.values()):
        write_overview(models / "restored.png", {o: published[lead.name] for o, lead in leads.items() if lead})


@app.command("readme")
def readme_command(
    results: Annotated[Path, typer.Option(help="A folder of published results.")] = Path("reports/lfw"),
    readme: Annotated[Path, typer.Option(dir_okay=False, help="The file that holds the marks.")] = Path("README.md"),
) -> None:
    """Write the README's table of results anew from published results.

    Example: blindface readme --results reports/lfw
    """
    from blindface.base.progress import say
    from blindface.publish.readme import update_readme

    say(f"{readme}: " + ("table written anew" if update_readme(readme, results) else "up to date"))
