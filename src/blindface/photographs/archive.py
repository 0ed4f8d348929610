"""Reading photographs out of a tar that may come from anywhere: everything is checked before anything is used.

Nothing is ever extracted under a member's own name. An archive is refused for what is dangerous, all of it named at
once: paths that leave the folder, links, devices, sparse files, duplicates, and sizes or counts that no collection of
photographs has. Any other member is a photograph to be, or an entry among what is left out, with the reason.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from blindface.base.errors import InputError
from blindface.base.tables import read_rows
from blindface.photographs.formats import is_image
from blindface.photographs.names import (
    is_litter,
    printable,
    problem_of,
    promises_photograph,
    same_name,
    without_suffix,
)

HEAD = 4096
"""Bytes that tell whether a file without a photograph's suffix is one."""
LARGEST_MEMBER = 256 << 20
LARGEST_COUNT = 5_000_000
LARGEST_RATIO = 200
"""Bytes of content per byte of archive: photographs hardly compress, so more is a decompression bomb."""

BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


LISTED = ".left_out.csv"
"""A member below the top folder: what was left out when a folder was packed, with the columns id and reason."""
HARMLESS = ("litter", "no photograph", "duplicate")
"""Kinds of reasons that are no failures: they are listed, and count for no limit."""


@dataclass(frozen=True, slots=True, order=True)
class LeftOut:
    """A file or folder that gives no target, by its name or id. `reason`: `kind: explanation`."""

    name: str
    reason: str

    @property
    def harmless(self) -> bool:
        """Whether nothing is lost by it."""
        return is_harmless(self.reason)


def is_harmless(reason: str) -> bool:
    """Whether a reason of `skipped.csv` tells of no failure."""
    return reason.partition(":")[0] in HARMLESS


def read_skipped(path: Path) -> list[list[str]]:
    """The rows (id, reason) of `skipped.csv`. Errors: InputError."""
    return read_rows(path, ("id", "reason"), "make it with 'blindface targets'")


@dataclass(frozen=True, slots=True)
class Photograph:
    """Where a photograph stands in the (uncompressed) tar.

    `id`: its path below the top folder, without suffix; `suffix`: as it is written, `.JPG`.
    """

    id: str
    offset: int
    size: int
    suffix: str = ""

    def person(self, level: int | None = 1) -> str:
        """The folder that is the person: 1 is the first below the top, None the one the photograph is in.

        Where there are fewer folders it is the innermost; a photograph outside any folder stands for itself.
        """
        folders = self.id.split("/")[:-1]
        return "/".join(folders if level is None else folders[:level]) or self.id


class _Guard(io.RawIOBase):
    """A file that refuses to read absurd amounts at once, which a forged header would ask for."""

    def __init__(self, file: BinaryIO | gzip.GzipFile) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        """At most LARGEST_MEMBER bytes."""
        if not 0 <= size <= LARGEST_MEMBER:
            raise tarfile.ReadError(f"a header asks for {size:,} bytes")
        return self.file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As the file does."""
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        """As the file does."""
        return self.file.tell()


@contextmanager
def open_tar(path: Path) -> Iterator[BinaryIO]:
    """The uncompressed bytes of a tar or gzipped tar, for reading at any place.

    A gzipped one is unpacked to a nameless temporary file in the same folder, which vanishes with the process.
    """
    with open(path, "rb") as file:
        if not _is_gzip(file):
            yield file
            return
        with tempfile.TemporaryFile(dir=path.parent) as plain, gzip.open(file) as packed:
            while chunk := packed.read(1 << 20):
                plain.write(chunk)
            plain.flush()
            yield plain


def list_photographs(path: Path) -> list[Photograph]:
    """The photographs of `list_archive` alone."""
    return list_archive(path)[0]


def list_archive(path: Path) -> tuple[list[Photograph], list[LeftOut]]:
    """What may be photographs in an archive, sorted by id, and what is left out, after every member has been checked.

    Errors: InputError if the archive is missing, broken or holds no files, or if members are refused.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            plain = gzip.GzipFile(fileobj=file) if _is_gzip(file) else file
            with tarfile.open(fileobj=_Guard(plain), mode="r:", errors="surrogateescape") as tar:
                found, left_out = _checked(path, tar, size)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path} is missing: make it with 'blindface photographs'") from None
    except BROKEN as error:
        raise InputError(f"{path} is no whole tar archive ({error}): delete it and fetch it again") from None
    if LISTED in {name.rpartition("/")[2] for name in left_out}:
        name = next(name for name in left_out if name.rpartition("/")[2] == LISTED)
        del left_out[name]
        try:
            rows = list(csv.DictReader(io.StringIO(read_member(path, name).decode())))
            left_out |= {row["id"]: row["reason"] for row in rows}
        except (UnicodeDecodeError, KeyError, csv.Error):
            raise InputError(f"{path}: its list {name} is broken; pack the folder again") from None
    if not found:
        raise InputError(f"{path} holds no photographs: give another archive or folder")
    listed = [LeftOut(printable(name), reason) for name, reason in left_out.items()]
    return sorted(found.values(), key=lambda photograph: photograph.id), sorted(listed)


def read_member(path: Path, name: str) -> bytes:
    """The content of one plain member, such as the embedded set's list of landmarks.

    Errors: InputError if the archive has no such member or is broken.
    """
    try:
        with tarfile.open(path) as tar:
            member = tar.getmember(name)
            content = tar.extractfile(member) if member.isreg() and member.size <= LARGEST_MEMBER else None
            if content is not None:
                return content.read()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: make it with 'blindface photographs'") from None
    except KeyError:
        pass
    except BROKEN as error:
        raise InputError(f"{path} is no whole tar archive ({error}): delete it and fetch it again") from None
    raise InputError(f"{path} has no file {name}: is it an archive of another source?")


def photograph_id(path: PurePosixPath) -> str:
    """The path below the top folder, without suffix: `lfw/AJ_Cook/AJ_Cook_0001.jpg` -> `AJ_Cook/AJ_Cook_0001`."""
    return without_suffix(_below_top(path))


def _below_top(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(*path.parts[1:]) if len(path.parts) > 1 else path


def _is_gzip(file: BinaryIO) -> bool:
    magic = file.read(2)
    file.seek(0)
    return magic == b"\x1f\x8b"


def _checked(archive: Path, tar: tarfile.TarFile, size: int) -> tuple[dict[str, Photograph], dict[str, str]]:
    """The photographs by their id in one form, and the reasons of what is left out by member name."""
    found: dict[str, Photograph] = {}
    left_out: dict[str, str] = {}
    names: set[str] = set()
    refused: list[str] = []
    total = 0
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # else memory would grow with the archive
        path = PurePosixPath(member.name)
        total += max(member.size, 0)
        if len(names) >= LARGEST_COUNT:
            raise _refusal(archive, [f"{member.name!r} comes after {LARGEST_COUNT:,} others, more than any set has"])
        if member.size < 0 or member.size > max(size * LARGEST_RATIO, LARGEST_MEMBER):
            raise _refusal(archive, [f"{printable(member.name)!r} has an absurd size of {member.size:,} bytes"])
        if total > max(size * LARGEST_RATIO, LARGEST_MEMBER):
            text = f"brings the content to {total:,} bytes, absurd for an archive of {size:,}"
            raise _refusal(archive, [f"{printable(member.name)!r} {text}"])
        danger = _danger(member, path)
        if danger is None and str(path) in names and not member.isdir():
            danger = "stands in it twice"
        if danger:
            refused.append(f"{printable(member.name)[:200]!r} {danger}")
        names.add(str(path))
        if danger or member.isdir():
            continue
        below = _below_top(path)
        photograph = Photograph(without_suffix(below), member.offset_data, member.size, below.suffix)
        problem = _problem(tar, member, below, found, same_name(photograph.id))
        if problem:
            left_out[member.name] = problem
        else:
            found[same_name(photograph.id)] = photograph
    if refused:
        raise _refusal(archive, refused)
    return found, left_out


def _refusal(archive: Path, members: list[str]) -> InputError:
    more = f" and {len(members) - 3} more" if len(members) > 3 else ""
    return InputError(f"{archive} is refused, its member {'; '.join(members[:3])}{more}: give another archive")


def _problem(
    tar: tarfile.TarFile, member: tarfile.TarInfo, below: PurePosixPath, found: dict[str, Photograph], identity: str
) -> str | None:
    """Why a member gives no photograph, or None."""
    if below.name == LISTED:
        return LISTED
    if is_litter(below):
        return "litter: left by a system or a photo program, or hidden"
    name = problem_of(member.name)
    if name:
        return f"unusable: {name}"
    if member.size > LARGEST_MEMBER:
        return f"too large: {member.size:,} bytes, more than {LARGEST_MEMBER:,}"
    if not promises_photograph(below.name) and not is_image(_head(tar, member)):
        return "no photograph: neither its name nor its content is that of an image"
    if identity in found:
        other = found[identity]
        return f"unusable: its name but for the suffix is that of {other.id}{other.suffix}: rename one to have both"
    return None


def _head(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = tar.extractfile(member)
    return content.read(HEAD) if content is not None else b""


def _danger(member: tarfile.TarInfo, path: PurePosixPath) -> str | None:
    if member.issym() or member.islnk():
        return "is a link"
    if not member.isdir() and (member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse()):
        return "is neither a plain file nor a folder"
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:[\\/]", member.name) or "..\\" in member.name:
        return "has a path that leaves the folder"
    return None
