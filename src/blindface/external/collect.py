"""A folder with everything from outside, for a machine without a network; and what is there, missing or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blindface.base.errors import ExternalFileError
from blindface.base.files import copy_file
from blindface.external.finder import Finder, State, remedy


@dataclass(frozen=True)
class Row:
    """One line of the table: a file, how it stands, where it is, and how to get it if it is not here."""

    name: str
    state: State
    remedy: str
    size: int | None


def survey(names: Sequence[str], finder: Finder) -> list[Row]:
    """How the named files stand, without asking the network."""
    rows = []
    for name in names:
        file, state = finder.registry.get(name), finder.look(name)
        rows.append(Row(name, state, "" if state.state == "here" else how_to_get(name, finder), file.size))
    return rows


def how_to_get(name: str, finder: Finder) -> str:
    """`blindface fetch` and the first address for a file that has one, the registry's remedy otherwise."""
    file = finder.registry.get(name)
    addresses = [url for form in file.forms for url in form.addresses]
    return f"blindface fetch ({addresses[0]})" if addresses else remedy(file)


def fill(names: Sequence[str], folder: Path | None, finder: Finder) -> dict[str, str]:
    """Get the named files into the cache, or copied to `folder`, which then serves as a mirror.

    Returns the reasons of those that cannot be had; the others are there.
    """
    finder.prepare(names)
    failures = {}
    for name in names:
        try:
            found = finder.find(name)
        except ExternalFileError as error:
            failures[name] = str(error)
            continue
        if folder is not None:
            target = folder / found.form.file
            if not target.is_file() or found.form.objection(target) is not None:
                copy_file(found.path, target)
    return failures
