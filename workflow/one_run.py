"""One run at a time in a folder, by a lock of the operating system: it ends with its process, however that ends.

Snakemake's own lock is a file, which outlives a killed process and refuses the next run; the profile leaves it out.
"""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path
from typing import IO

_held: list[IO[str]] = []


def hold(folder: Path) -> None:
    """Hold the lock of a working directory as long as this process lives.

    Errors: SystemExit with one sentence if another run holds it.
    """
    handle = open(folder / ".snakemake" / "alive", "w")  # noqa: SIM115  (open as long as the process lives)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"blindface: another run is alive in {folder}: wait for its end, or stop it first", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError:
        print(f"blindface: {folder} has no file locks: start no second run in it meanwhile", file=sys.stderr)
    _held.append(handle)
