"""Write the exact versions of this environment: `python workflow/write_locks.py` (`make lock`).

requirements.lock holds what pyproject.toml asks for, directly or not, and requirements-pyiqa.lock what only pyiqa adds:
a library of metrics under a licence of its own, which no stage needs. What else lies in the environment is left out.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
MAIN, PYIQA = "requirements.lock", "requirements-pyiqa.lock"
BY_HAND = ("heic",)
"""Extras that are in no lock: who wants them installs them, for their licences."""
NOT_LOCKED = {"pip", "setuptools", "wheel"}
"""They come with every virtual environment."""
FRONT = {
    MAIN: "# Exact versions that resolve together on Python 3.11; made by 'make lock', used by 'make environment'.\n",
    PYIQA: "# What pyiqa adds to requirements.lock; made by 'make lock', used by 'make pyiqa'.\n",
}


def declared() -> tuple[list[str], list[str]]:
    """What pyproject.toml asks for: everything but pyiqa, and pyiqa."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = dict(project["optional-dependencies"])
    optional = groups.pop("pyiqa")
    for name in BY_HAND:
        groups.pop(name)
    return project["dependencies"] + [name for group in groups.values() for name in group], optional


def needed(names: Iterable[str]) -> set[str]:
    """The named packages and all that they need on this machine, by their canonical names.

    Errors: PackageNotFoundError if one of the named is not installed.
    """
    found: set[tuple[str, str]] = set()
    waiting = [(Requirement(name).name, "") for name in names]
    while waiting:
        name, extra = waiting.pop()
        key = (canonicalize_name(name), extra)
        if key in found:
            continue
        found.add(key)
        for requirement in map(Requirement, metadata.requires(name) or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(requirement.name, wanted) for wanted in ("", *requirement.extras)]
    return {str(name) for name, _ in found} - NOT_LOCKED


def texts() -> dict[str, str]:
    """The content of both locks."""
    product, optional = declared()
    main = needed(product)
    return {MAIN: _text(MAIN, main), PYIQA: _text(PYIQA, needed(optional) - main)}


def _text(file: str, names: Iterable[str]) -> str:
    pins = [f"{metadata.metadata(name)['Name']}=={metadata.version(name).partition('+')[0]}\n" for name in names]
    return FRONT[file] + "".join(sorted(pins, key=str.lower))


def main() -> int:
    """Write both locks."""
    for file, text in texts().items():
        (ROOT / file).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
