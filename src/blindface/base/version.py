"""Which version of the code is running."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
"""The project's root, where the code lies in its repository."""


ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
"""Variables that point git at another repository than the folder's."""


def find_commit(root: Path = ROOT) -> str | None:
    """`git describe` of the project's own repository, ending in -dirty if files differ from the commit.

    Where the code runs outside its repository (a container, a copy on a cluster, an archive unpacked in another's
    repository) the environment variable BLINDFACE_COMMIT says it; None if neither does.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    own = top is not None and Path(top).resolve() == root.resolve()
    # A folder of the same name in another project's repository may be its root, too.
    if own and _git(root, "ls-files", "--", "src/blindface/base/version.py"):
        return _git(root, "describe", "--always", "--dirty", "--abbrev=12")
    return os.environ.get("BLINDFACE_COMMIT") or None


def _git(root: Path, *words: str) -> str | None:
    """What git says about a folder, whatever repository the caller (a git hook) works in; None if it says nothing."""
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return result.stdout.strip() or None
