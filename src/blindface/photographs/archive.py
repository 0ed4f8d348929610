"""Reading photographs out of a tar that may come from anywhere: everything is checked before anything is used.

Nothing is ever extracted under a member's own name. Refused are paths that leave the folder, links, devices, sparse
files, duplicates, and sizes or counts that no collection of photographs has.
"""

from __future__ import annotations

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

SUFFIXES = frozenset({".bmp", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""What counts as a photograph; other files in an archive or folder are left alone."""
LARGEST_MEMBER = 256 << 20
LARGEST_COUNT = 5_000_000
LARGEST_RATIO = 200
"""Bytes of content per byte of archive: photographs hardly compress, so more is a decompression bomb."""

BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True, slots=True)
class Photograph:
    """Where a photograph stands in the (uncompressed) tar. `id`: its path below the top folder, without suffix."""

    id: str
    offset: int
    size: int

    @property
    def person(self) -> str:
        """The folder it is in; a photograph outside any folder stands for itself."""
        return self.id.rpartition("/")[0] or self.id


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
    """All photographs of an archive, sorted by id, after every member of it has been checked.

    Errors: InputError if the archive is missing, broken or holds no photographs, if a member is refused, or if two
    photographs have one id.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            plain = gzip.GzipFile(fileobj=file) if _is_gzip(file) else file
            with tarfile.open(fileobj=_Guard(plain), mode="r:") as tar:
                found = _checked(path, tar, size)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path} is missing: make it with 'blindface photographs'") from None
    except BROKEN as error:
        raise InputError(f"{path} is no whole tar archive ({error}): delete it and fetch it again") from None
    if not found:
        raise InputError(f"{path} holds no photographs ({', '.join(sorted(SUFFIXES))}): give another archive or folder")
    return sorted(found.values(), key=lambda photograph: photograph.id)


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
    parts = path.parts[1:] if len(path.parts) > 1 else path.parts
    return str(PurePosixPath(*parts).with_suffix(""))


def is_photograph(name: str) -> bool:
    """Whether a file name is that of a photograph; hidden files never are."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _is_gzip(file: BinaryIO) -> bool:
    magic = file.read(2)
    file.seek(0)
    return magic == b"\x1f\x8b"


def _checked(archive: Path, tar: tarfile.TarFile, size: int) -> dict[str, Photograph]:
    found: dict[str, Photograph] = {}
    names: set[str] = set()
    total = 0
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # else memory would grow with the archive
        path = PurePosixPath(member.name)
        total += member.size
        reason = _refusal(member, path)
        if reason is None and str(path) in names and not member.isdir():
            reason = "stands in it twice"
        elif reason is None and len(names) >= LARGEST_COUNT:
            reason = f"comes after {LARGEST_COUNT:,} others, more than any set of photographs"
        elif reason is None and total > max(size * LARGEST_RATIO, LARGEST_MEMBER):
            reason = f"brings the content to {total:,} bytes, absurd for an archive of {size:,}"
        if reason:
            raise InputError(f"{archive} is refused, its member {member.name[:200]!r} {reason}: give another archive")
        names.add(str(path))
        if member.isdir() or not is_photograph(member.name):
            continue
        photograph = Photograph(photograph_id(path), member.offset_data, member.size)
        if photograph.id in found:
            raise InputError(f"{archive} holds two photographs '{photograph.id}', of different suffix: rename one")
        found[photograph.id] = photograph
    return found


def _refusal(member: tarfile.TarInfo, path: PurePosixPath) -> str | None:
    if member.issym() or member.islnk():
        return "is a link"
    if not member.isdir() and (member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse()):
        return "is neither a plain file nor a folder"
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", member.name) or "\\" in member.name:
        return "has a path that leaves the folder"
    if not member.name.isprintable() or len(member.name) > 1024:
        return "has a path that cannot be printed"
    if not 0 <= member.size <= LARGEST_MEMBER:
        return f"has an absurd size of {member.size:,} bytes"
    return None
