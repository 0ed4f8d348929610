"""`blindface describe` and `blindface schema`: the parameters, explained to a person and to an editor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from blindface.base.files import write_text
from blindface.cli.app import ParamsOption, app
from blindface.params import describe, json_schema, load_params


@app.command("describe")
def describe_command(
    params: ParamsOption = [], only: Annotated[str, typer.Argument(help="A block or key.")] = ""
) -> None:
    """Print every parameter with its value, unit, bounds and meaning.

    Example: blindface describe --params params.yaml --params config/tiny.yaml train.objective1
    """
    for line in describe(load_params(params)):
        if line.startswith(only):
            print(line)


@app.command("schema")
def schema_command(output: Annotated[Path | None, typer.Option(help="Write here instead of printing.")] = None) -> None:
    """Print the JSON schema of params.yaml and its overlays, for editors that check and complete YAML."""
    text = json.dumps(json_schema(), indent=2) + "\n"
    if output is None:
        print(text, end="")
    else:
        write_text(output, text)
