"""The archive of photographs, made from any source."""

from __future__ import annotations

import csv
import errno
import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from blindface.base.errors import InputError
from blindface.base.files import atomic_path, copy_file
from blindface.base.progress import track
from blindface.external.finder import Finder
from blindface.params import FetchParams
from blindface.photographs.archive import LISTED, LeftOut
from blindface.photographs.folder import check_folder, list_folder
from blindface.photographs.names import printable

TOP = "photographs"
"""Top folder of the tar made of a folder of images."""


def make_archive(params: FetchParams, output: Path, finder: Finder, workers: int = 1) -> None:
    """Write one tar (perhaps gzipped) of photographs in LFW's layout, `<set>/<Person>/<Person>_0001.jpg`.

    Registered sets are copied as they are, once their hash is right; the embedded set is rendered by
    `workers` processes; a folder is packed.
    Errors: ExternalFileError if a registered set cannot be had, InputError for a folder that is missing or empty.
    """
    if params.source == "embedded":
        from blindface.rendered import write_archive

        write_archive(output, params.embedded, workers)
    elif params.source == "folder":
        pack_folder(Path(params.folder or "").expanduser(), output)
    else:
        copy_file(finder.find(params.source).path, output)


def pack_folder(folder: Path, output: Path) -> int:
    """Pack the photographs of a folder, at any depth, into a tar; returns their number.

    Members are sorted and have fixed owners and times, so that equal images give equal bytes. What is left out is
    listed with its reason in a member of its own (`archive.LISTED`), which becomes part of the list of skipped ones.
    Errors: InputError if the folder is missing, cannot be listed or holds no photographs.
    """
    check_folder(folder)
    listing = list_folder(folder)
    if not listing.names:
        first = "; ".join(f"{printable(entry.name)}: {entry.reason}" for entry in listing.left_out[:3])
        raise InputError(
            f"the folder {printable(str(folder))} holds no images (fetch.folder){f' ({first})' if first else ''}: "
            "give one with JPEG, PNG or other images"
        )
    with atomic_path(output) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in track(listing.names, "Packing the folder"):
            _add(tar, folder / name, f"{TOP}/{name}", listing.left_out)
        _add_list(tar, sorted(listing.left_out))
    return len(listing.names)


def _add(tar: tarfile.TarFile, path: Path, name: str, left_out: list[LeftOut]) -> None:
    """One photograph; one that cannot be opened any more is left out."""
    member = tarfile.TarInfo(name)
    member.mode = 0o644
    try:
        with open(path, "rb") as file:
            member.size = os.fstat(file.fileno()).st_size
            tar.addfile(member, file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        left_out.append(LeftOut(name.removeprefix(f"{TOP}/"), f"unreadable: cannot be opened ({error.strerror})"))


def _add_list(tar: tarfile.TarFile, left_out: Sequence[LeftOut]) -> None:
    if not left_out:
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "reason"])
    writer.writerows((printable(entry.name), entry.reason) for entry in left_out)
    content = text.getvalue().encode()
    member = tarfile.TarInfo(f"{TOP}/{LISTED}")
    member.mode, member.size = 0o644, len(content)
    tar.addfile(member, io.BytesIO(content))
