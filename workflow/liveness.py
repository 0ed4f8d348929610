"""A run that was killed leaves Snakemake's lock behind; here the next plain call finds out and clears it away.

Snakemake's lock is a file, which outlives its process. Each run of this Snakefile therefore also holds a lock of the
operating system, which ends with the process, however it ends: who gets it knows that no other run is alive in this
folder, and that a lock file found there is a dead run's.
"""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path
from typing import IO

_held: list[IO[str]] = []


def take_over(folder: Path, dry_run: bool = False) -> bool:
    """Remove the lock files of a dead run in `folder`/.snakemake, and keep others from doing so while this one lives.

    A dry run lets go again at once. Returns whether no other run is alive.
    """
    state = folder / ".snakemake"
    # Without this folder Snakemake takes records that DVC brought for those of an old version, and migrates them.
    (state / "incomplete").mkdir(parents=True, exist_ok=True)
    handle = open(state / "alive", "w")  # noqa: SIM115  (open as long as the process lives)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Taken, or a file system without such locks: Snakemake's own lock decides.
        handle.close()
        return False
    stale = sorted((state / "locks").glob("*.lock"))
    for path in stale:
        path.unlink(missing_ok=True)
    if stale:
        print("blindface: an earlier run was killed; its lock is cleared away", file=sys.stderr)
    if dry_run:
        handle.close()
    else:
        _held.append(handle)
    return True
