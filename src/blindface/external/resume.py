"""A download that goes on where a broken or killed one stopped."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from blindface.external.download import DownloadError, Hosts, begin


def part_path(target: Path) -> Path:
    """Where what has come of a file so far is kept."""
    return target.with_name(f".{target.name}.part")


@dataclass(frozen=True)
class PlainWriter:
    """A `write` for `download` that stores what an address gives, byte by byte.

    What came of a transfer that announced the right number of bytes stays beside the target, for the next attempt, of
    this process or a later one and at whatever address. The file as a whole is judged in any case; if one that was put
    together is not right, it is fetched again from its beginning.
    """

    hosts: Hosts
    size: int | None
    target: Path
    objection: Callable[[Path], str | None]

    def __call__(self, url: str, path: Path) -> None:
        """Fetch `url` to `path`. Errors: DownloadError."""
        with _alone(part_path(self.target)) as part:
            if part is None or self.size is None:
                with open(path, "wb") as file:
                    for chunk in begin(url, self.hosts, self.size).chunks:
                        file.write(chunk)
                return
            came = os.fstat(part.fileno()).st_size
            if came > self.size:
                came = part.truncate(0)
            if self._fetch(url, part, came) and self.objection(part_path(self.target)):
                self._fetch(url, part, 0)
            part_path(self.target).replace(path)

    def _fetch(self, url: str, part: BinaryIO, came: int) -> bool:
        """Complete the part from the byte `came` on; returns whether what was there before was used."""
        if came == self.size:
            return True
        transfer = begin(url, self.hosts, self.size, came)
        part.truncate(transfer.first)
        part.seek(transfer.first)
        try:
            for chunk in transfer.chunks:
                part.write(chunk)
        except DownloadError:
            if transfer.total != self.size:
                part.truncate(0)
            raise
        finally:
            part.flush()
        return transfer.first > 0


@contextmanager
def _alone(path: Path) -> Iterator[BinaryIO | None]:
    """The part, open for writing; None while another process fills it. An empty part is not left behind."""
    path.touch()
    with open(path, "r+b") as part:
        mine = _lock(path, part)
        try:
            yield part if mine else None
        finally:
            if mine and path.exists() and path.stat().st_size == 0:
                path.unlink()


def _lock(path: Path, part: BinaryIO) -> bool:
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # another process may have finished the file and moved it away between our opening and locking it
        return os.path.samestat(os.fstat(part.fileno()), path.stat())
    except OSError:
        return False
