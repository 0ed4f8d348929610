"""What the names of files tell: which are litter, which promise a photograph, which can be ids.

The content decides whether a file is a photograph (`decode.decode`); a name only tells what a user expects of it.
"""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

PROMISES = frozenset(
    {
        *(".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".j2k", ".jfif", ".jif", ".jp2", ".jpe", ".jpeg"),
        *(".jpg", ".jxl", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
    }
)
"""Suffixes of photographs: such a file that cannot be read is a failure, not a file of another kind."""
RAW = frozenset([".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"])
"""Suffixes of camera raw files, which are photographs but have to be developed first."""

LITTER_FILES = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", ".ds_store", ".picasa.ini", "picasa.ini"}
)
LITTER_FOLDERS = frozenset(
    {
        *("@eadir", "#recycle", "#snapshot", ".@__thumb", "@recycle", "@recently-snapshot"),  # Synology, QNAP
        *("__macosx", ".appledouble", ".trashes", ".spotlight-v100", ".fseventsd"),  # macOS
        *("$recycle.bin", "system volume information", "recycler"),  # Windows
        *(".thumbnails", ".trash", "lost+found"),  # Linux
        *(".picasaoriginals", ".comments", ".lightroom", ".dtrash", ".stfolder", ".stversions", ".sync"),
    }
)
LITTER_ENDINGS = (".lrdata", ".lrcat-data", ".cocatalogdb", ".photoslibrary-cache", ".cocache", ".dop", ".xmp", ".aae")
"""Previews and notes of photo programs: Lightroom, Capture One, DxO, Apple."""
LONGEST = 1024


def is_litter(path: PurePosixPath) -> bool:
    """Whether a relative path is what systems and photo programs leave beside photographs, or hidden."""
    name, *folders = (part.lower() for part in reversed(path.parts))
    return _is_litter_folder(name) or name in LITTER_FILES or any(map(_is_litter_folder, folders))


def _is_litter_folder(name: str) -> bool:
    return name in LITTER_FOLDERS or name.endswith(LITTER_ENDINGS) or (name.startswith(".") and name not in (".", ".."))


def promises_photograph(name: str) -> bool:
    """Whether a file's suffix says that it is a photograph, in any case."""
    return PurePosixPath(name).suffix.lower() in PROMISES | RAW


def without_suffix(path: PurePosixPath) -> str:
    """A path without the suffix of a photograph; other dots belong to the name: `a/v1.5` stays."""
    return str(path.with_suffix("") if promises_photograph(path.name) else path)


def problem_of(name: str) -> str | None:
    """Why a name cannot be an id, or None. Spaces of any kind and joiners of scripts and emoji are fine."""
    if any(unicodedata.category(letter) == "Cs" for letter in name):
        return "the name is no UTF-8: rename the file"
    if "\\" in name or any(unicodedata.category(letter) == "Cc" for letter in name):
        return "the name holds a control character or a backslash: rename the file"
    if len(name) > LONGEST:
        return f"the path is longer than {LONGEST} characters: shorten it"
    return None


def same_name(name: str) -> str:
    """A form that is equal for names a person would call equal: composed or decomposed accents (NFC and NFD)."""
    return unicodedata.normalize("NFC", name)


def printable(name: str) -> str:
    """A name for a table or a message: what cannot be printed or encoded stands there escaped."""
    kept = (" ", "\u00a0", "\u202f", "\u200d", "\u200c")
    return "".join(
        letter if letter.isprintable() or letter in kept else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in name
    )
