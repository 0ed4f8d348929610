"""`blindface embedded`: the rendered faces as PNG files, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindface.cli.app import ParamsOption, app


@app.command("embedded")
def embedded(
    output: Annotated[Path, typer.Option(help="Folder for the PNG files.", file_okay=False)],
    params: ParamsOption = [],
    overlay: Annotated[bool, typer.Option("--overlay", help="Enlarge and draw the 68 landmarks.")] = False,
    workers: Annotated[int, typer.Option(help="Processes.", min=1, max=256)] = 1,
) -> None:
    """Write the rendered faces of the embedded set as PNG files to look at.

    Nothing of the graph reads them: `blindface photographs` puts the same pictures into the archive.

    Example: blindface embedded --params '{"fetch": {"embedded": {"identities": 8}}}' --output faces --overlay
    """
    import cv2

    from blindface.base.files import write_bytes
    from blindface.base.progress import say
    from blindface.params import load_params
    from blindface.rendered.archive import draw_overlay, rendered_set

    count = 0
    for name, rendered in rendered_set(load_params(params).fetch.embedded, workers):
        picture = draw_overlay(rendered) if overlay else rendered.image
        write_bytes(output / f"{name}.png", cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
        count += 1
    say(f"wrote {count} rendered faces to {output}")
