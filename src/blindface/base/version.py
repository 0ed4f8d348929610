"""Which version of the code is running."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def find_commit() -> str | None:
    """`git describe` of the repository that holds this code, ending in -dirty if files differ from the commit.

    Where the code runs outside its repository (a container, a copy on a cluster) the environment variable
    BLINDFACE_COMMIT says it; None if neither does.
    """
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("BLINDFACE_COMMIT")
    return result.stdout.strip() or None
