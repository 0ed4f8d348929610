"""One walk over a folder of photographs, for packing it and for noticing that it changed.

Nothing vanishes: every file and folder below is a photograph to be, or an entry among what is left out, with the
reason. The kinds of reasons that are no failures stand in `archive.HARMLESS`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from blindface.base.errors import InputError
from blindface.photographs.archive import HEAD, LARGEST_MEMBER, LeftOut
from blindface.photographs.formats import is_image
from blindface.photographs.names import is_litter, printable, problem_of, promises_photograph, same_name, without_suffix


@dataclass
class Listing:
    """What lies in a folder. `names`: photographs, relative, sorted; `left_out`: everything else, sorted."""

    names: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def check_folder(folder: Path) -> None:
    """Errors: InputError if a folder of photographs is missing, with where it was looked for."""
    if not folder.is_dir():
        raise InputError(
            f"fetch.folder names {printable(str(folder))}, and {printable(str(folder.absolute()))} is no folder: "
            "give the path of a folder of photographs"
        )


def list_folder(folder: Path) -> Listing:
    """The photographs of a folder at any depth, links to files and folders followed, and what is left out.

    A file is a photograph if its suffix says so or its first bytes do. What is reached twice, by a link, counts once:
    where it lies itself, else under its first name. Errors: InputError if the folder is missing or cannot be listed.
    """
    listing = Listing()
    candidates: dict[tuple[int, int], list[tuple[bool, str]]] = {}
    for name, found, linked in _walk(folder, listing.left_out):
        candidates.setdefault((found.st_dev, found.st_ino), []).append((linked, name))
    taken: dict[str, str] = {}
    for (_, name), *others in sorted(sorted(names) for names in candidates.values()):
        listing.left_out += [LeftOut(other, f"duplicate: the same file as {name}") for _, other in others]
        _judge(folder, name, taken, listing)
    listing.names.sort()
    listing.left_out.sort()
    return listing


def _judge(folder: Path, name: str, taken: dict[str, str], listing: Listing) -> None:
    """Put one file where it belongs."""
    try:
        with open(folder / name, "rb") as file:
            head = file.read(HEAD)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        listing.left_out.append(_unreadable(name, f"cannot be opened ({error.strerror})"))
        return
    if not promises_photograph(name) and not is_image(head):
        listing.left_out.append(LeftOut(name, "no photograph: neither its name nor its content is that of an image"))
        return
    identity = same_name(without_suffix(PurePosixPath(name)))
    problem = problem_of(name)
    if problem is None and size > LARGEST_MEMBER:
        problem = f"the file has {size:,} bytes, more than {LARGEST_MEMBER:,}: make it smaller"
    if problem is None and identity in taken:
        problem = f"its name but for the suffix is that of {taken[identity]}: rename one to have both"
    if problem is not None:
        listing.left_out.append(LeftOut(name, f"unusable: {problem}"))
        return
    taken[identity] = name
    listing.names.append(name)


def _unreadable(name: str, why: str) -> LeftOut:
    """A failure, by the id that the photograph would have."""
    return LeftOut(without_suffix(PurePosixPath(name)), f"unreadable: {why}")


def _walk(folder: Path, left_out: list[LeftOut]) -> Iterator[tuple[str, os.stat_result, bool]]:
    """Plain files below a folder, `(relative path, state, whether by a link)`; all else goes to `left_out`."""
    waiting: list[tuple[str, bool]] = [("", False)]
    seen: dict[tuple[int, int], str] = {}
    while waiting:
        # Real folders first, so that a link to one that lies in the tree is the duplicate, wherever it sorts.
        waiting.sort(key=lambda entry: (entry[1], entry[0]), reverse=True)
        place, linked = waiting.pop()
        try:
            state = (folder / place).stat()
            entries = sorted(os.scandir(folder / place), key=lambda entry: entry.name)
        except OSError as error:
            if not place:
                raise InputError(
                    f"the folder {folder.absolute()} cannot be listed ({error.strerror}): give a folder of "
                    "photographs that may be read, as fetch.folder"
                ) from None
            left_out.append(LeftOut(f"{place}/", f"unreadable: the folder cannot be listed ({error.strerror})"))
            continue
        first = seen.setdefault((state.st_dev, state.st_ino), place)
        if first != place:
            left_out.append(LeftOut(f"{place}/", f"duplicate: the same folder as {first or folder.name}/"))
            continue
        for entry in entries:
            name = f"{place}/{entry.name}" if place else entry.name
            by_link = linked or entry.is_symlink()
            try:
                found = entry.stat()
            except OSError as error:
                if is_litter(PurePosixPath(name)):
                    left_out.append(LeftOut(name, "litter: left by a system or a photo program, or hidden"))
                else:
                    left_out.append(_unreadable(name, f"cannot be opened ({error.strerror})"))
                continue
            kind = stat.S_IFMT(found.st_mode)
            if is_litter(PurePosixPath(name)):
                slash = "/" if kind == stat.S_IFDIR else ""
                left_out.append(LeftOut(name + slash, "litter: left by a system or a photo program, or hidden"))
            elif kind == stat.S_IFDIR:
                waiting.append((name, by_link))
            elif kind == stat.S_IFREG:
                yield name, found, by_link
            else:
                left_out.append(_unreadable(name, "no plain file"))


def folder_state(folder: Path) -> str:
    """A hash of what `list_folder` finds, with sizes and times: it changes when the photographs do.

    A folder that is missing has a state too: its error belongs to who asks for photographs.
    """
    digest = hashlib.sha256()
    try:
        listing = list_folder(folder)
    except InputError:
        return digest.hexdigest()
    for name in listing.names:
        found = (folder / name).stat()
        digest.update(os.fsencode(f"{name}\0") + f"{found.st_size}\0{found.st_mtime_ns}\0".encode())
    for entry in listing.left_out:
        if not entry.harmless:
            digest.update(f"{printable(entry.name)}\0{entry.reason}\0".encode())
    return digest.hexdigest()
