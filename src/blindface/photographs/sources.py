"""The archive of photographs, made from any source."""

from __future__ import annotations

import errno
import hashlib
import os
import tarfile
from pathlib import Path, PurePosixPath

from blindface.base.errors import InputError
from blindface.base.files import atomic_path, copy_file
from blindface.base.progress import say, track
from blindface.external.finder import Finder
from blindface.params import FetchParams
from blindface.photographs.archive import is_photograph, photograph_id

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
    """Pack the image files of a folder, at any depth, into a tar; returns their number.

    Members are sorted and have fixed owners and times, so that equal images give equal bytes. Hidden files and folders
    are left alone; links to files are followed. Images that cannot be opened are packed empty.
    Errors: InputError if the folder is missing, holds no images, or two images would have one id.
    """
    if not folder.is_dir():
        raise InputError(f"fetch.folder names {folder}, which is no folder: give the path of a folder of images")
    names, others = _list_images(folder)
    if not names:
        raise InputError(f"the folder {folder} holds no images (fetch.folder): give one with JPEG, PNG or other images")
    _check_ids(folder, names)
    if others:
        say(f"blindface: {others} files of {folder} are no images by their suffix and are left alone")
    with atomic_path(output) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in track(names, "Packing the folder"):
            _add(tar, folder / name, f"{TOP}/{name}")
    return len(names)


def _list_images(folder: Path) -> tuple[list[str], int]:
    names, others = [], 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            if is_photograph(file):
                names.append((Path(place) / file).relative_to(folder).as_posix())
            else:
                others += 1
    return sorted(names), others


def _check_ids(folder: Path, names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not name.isprintable() or "\\" in name:
            raise InputError(f"{folder} holds an image whose name cannot be printed, {name!r}: rename it")
        identity = photograph_id(PurePosixPath(TOP) / name)
        if identity in seen:
            raise InputError(f"{folder} holds {seen[identity]} and {name}, which differ by suffix only: rename one")
        seen[identity] = name


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """One image file; one that cannot be opened stands there empty, so that it is listed among those left out."""
    member = tarfile.TarInfo(name)
    member.mode = 0o644
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            raise FileNotFoundError(errno.ENOENT, "no such plain file")
        with open(path, "rb") as file:
            member.size = os.fstat(file.fileno()).st_size
            tar.addfile(member, file)
    except (PermissionError, FileNotFoundError) as error:
        say(f"blindface: {path} cannot be opened ({error.strerror}) and will be left out")
        tar.addfile(member)


def folder_state(folder: Path) -> str:
    """A hash of the names, sizes and times of a folder's images: it changes when the folder does, without reading them.

    A folder that is missing has a state too: its error belongs to the stage that packs it.
    """
    digest = hashlib.sha256()
    for name in _list_images(folder)[0]:
        try:
            found = (folder / name).stat()
        except OSError:
            digest.update(f"{name}\0".encode())
        else:
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()
