"""The Typer application, the options that stages share, and how errors reach a person."""

from __future__ import annotations

import errno
import faulthandler
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from blindface.base.errors import BlindfaceError

app = typer.Typer(
    name="blindface",
    help="Blind face restoration: from the photographs to the printed table, one command per stage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=True,
)

ParamsOption = Annotated[
    list[str],
    typer.Option(
        "--params",
        help='A YAML file in the structure of params.yaml, or inline JSON such as \'{"split": {"seed": 3}}\'. '
        "May be given several times: later ones win; what none of them names is as the data record it, else the "
        "default of the full experiment.",
    ),
]

# What the commands that measure share
MethodOption = Annotated[str, typer.Option(help="The method's name, as it stands in the table.")]
TargetsOption = Annotated[Path, typer.Option(dir_okay=False, help="Packed file of the targets.")]
LandmarksOption = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Landmarks of the targets; what looks at faces needs them.")
]
WeightsOption = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Manifest of the weights; what is missing reads n/a.")
]
ImagesOption = Annotated[Path, typer.Option(dir_okay=False, help="Parquet file for the values of every image.")]
NumbersOption = Annotated[Path, typer.Option(dir_okay=False, help="JSON file for the numbers of the report.")]


def main() -> None:
    """Run the command line. A user's mistake ends with one sentence on standard error and status 2."""
    # Threads that spin while they wait slow each other down by ten times and more where several stages share a machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A crash in a compiled library (a driver, OpenCV) otherwise leaves no word about where it was.
    faulthandler.enable()
    import blindface.cli  # noqa: F401  (its modules register the commands)

    try:
        app()
    except BlindfaceError as error:
        print(f"blindface: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(f"blindface: {error.strerror}{where}: free space or choose another place and run again", file=sys.stderr)
        sys.exit(2)
    except ImportError as error:
        if "libGL" not in str(error):
            raise
        remedy = "run make environment, or pip install --no-deps --force-reinstall opencv-python-headless"
        print(f"blindface: this build of OpenCV wants libGL, which is not on this machine: {remedy}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("blindface: interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
