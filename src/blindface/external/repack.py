"""Packing one folder of a repository's archive into a tar whose bytes are known in advance.

LFW's own repository holds the photographs at 150x150 as loose files. The host's archive of a commit may be compressed
differently tomorrow, but the tar packed from its files, in sorted order and with fixed owners and times, has one hash.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from blindface.external.download import DownloadError, Hosts, begin
from blindface.external.registry import Repack

TIME = 1191196800
"""Modification time of all members: 2007-10-01, the year of LFW."""
LARGEST = 1 << 24


class _Pipe(io.RawIOBase):
    """A readable file over an iterator of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.rest = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill what the next chunk allows."""
        self.rest = self.rest or next(self.chunks, b"")
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def write_repacked(recipe: Repack, hosts: Hosts, path: Path) -> None:
    """Download the repository's archive, as far as the folder goes, and pack the folder's photographs at `path`.

    Errors: DownloadError if the archive breaks off, is no archive, or has no such folder.
    """
    chunks = begin(recipe.url, hosts).chunks
    try:
        files = _read_folder(chunks, recipe.folder)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DownloadError(f"the repository's archive is broken ({error})") from None
    finally:
        chunks.close()  # type: ignore[attr-defined]
    if not files:
        raise DownloadError(f"the repository's archive has no photographs in its folder '{recipe.folder}'")
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as packed:
        _add(packed, recipe.top, None, 0o755)
        folders = set()
        for parts in sorted(files):
            if parts[0] not in folders:
                folders.add(parts[0])
                _add(packed, f"{recipe.top}/{parts[0]}", None, 0o775)
            _add(packed, "/".join((recipe.top, *parts)), files[parts], 0o664)


def _read_folder(chunks: Iterator[bytes], folder: str) -> dict[tuple[str, ...], bytes]:
    files: dict[tuple[str, ...], bytes] = {}
    with tarfile.open(fileobj=io.BufferedReader(_Pipe(chunks)), mode="r|gz") as archive:
        for member in archive:
            parts = PurePosixPath(member.name).parts
            inside = len(parts) == 4 and parts[1] == folder
            if files and not (len(parts) > 1 and parts[1] == folder):
                break  # the archive is in order: the rest of the repository need not come
            content = archive.extractfile(member) if inside and member.isreg() and member.size <= LARGEST else None
            if content is not None and parts[-1].endswith(".jpg"):
                files[parts[2:]] = content.read()
    return files


def _add(packed: tarfile.TarFile, name: str, content: bytes | None, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = mode, TIME
    if content is None:
        member.type = tarfile.DIRTYPE
    else:
        member.size = len(content)
    packed.addfile(member, None if content is None else io.BytesIO(content))
