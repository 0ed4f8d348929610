"""Damage in what has no checksum of its own: uncompressed pixels, run lengths, and the strips of a TIFF.

A download that stopped leaves zero bytes where the rest of a preallocated file should be. In uncompressed pixels these
are black or white, so they count as damage only where a picture cannot end so (`_stops`).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import TiffImagePlugin as Tiff

from blindface.photographs.formats import EMPTY_RUN, jpeg_damage

LEAST_EMPTY = 16
"""Bytes of a row that must be missing: a dark row may end in a few zeros by itself."""
NONE, DEFLATE, JPEG, PACKBITS = 1, (8, 32946), 7, 32773
"""Compressions of TIFF 6.0 and of its technical notes."""
EMPTY = "a part of its data is empty"
STOPPED = "its pixels stop within a row, and only zeros follow"


def raster_damage(content: bytes, kind: str, image: Pillow.Image, tiles: Sequence[Any]) -> str | None:
    """What is wrong with a file of pixels or of strips, or None.

    kind: Pillow's name of the format; image: as opened; tiles: its `tile` before it was loaded.
    """
    if kind == "TIFF" and isinstance(image, Tiff.TiffImageFile):
        return _tiff(content, image.tag_v2)
    if kind not in ("BMP", "DIB", "PCX", "PPM", "QOI", "SGI", "TGA") or not tiles:
        return None
    width, height = image.size
    start = min(tile[2] for tile in tiles)
    if tiles[0][0] in ("pcx", "qoi", "tga_rle", "bmp_rle"):
        return EMPTY if bytes(EMPTY_RUN) in content[start : _end(content, kind)] else None
    if tiles[0][0] not in ("raw", "ppm"):
        return None
    rows = height * len(tiles)
    if kind in ("BMP", "DIB"):
        stride = tiles[0][3][1]
    elif kind == "TGA":
        stride = (width * content[16] + 7) // 8
    else:
        stride = (len(content) - start) // rows
    return STOPPED if _stops(content[start : start + stride * rows], stride) else None


def _end(content: bytes, kind: str) -> int:
    """Where the run lengths end: after them PCX has a palette, TGA notes."""
    if kind == "PCX" and content[-769:-768] == b"\x0c":
        return len(content) - 769
    if kind == "TGA" and content[-18:].startswith(b"TRUEVISION-XFILE"):
        return int.from_bytes(content[-26:-22], "little") or len(content)
    return len(content)


def _stops(data: bytes, stride: int) -> bool:
    """Whether rows of pixels stop: zeros to the end, of two rows or more, that begin where the row above has content.

    A border, a cut-out on black or a dark picture does not: its last row ends where the one above ends too, or at the
    row's edge.
    """
    last = len(data.rstrip(b"\0"))
    row, place = divmod(last, stride) if stride > 0 else (0, 0)
    if row < 1 or len(data) - last < 2 * stride or not 0 < place <= stride - LEAST_EMPTY:
        return False
    levels: NDArray[np.uint8] = np.frombuffer(data, np.uint8, 2 * stride, (row - 1) * stride)
    above, here = levels[place:stride], levels[stride : stride + place]
    beside = levels[:place]
    faded = int(here[-LEAST_EMPTY:].max()) * 2 < int(beside[-LEAST_EMPTY:].max())  # the soft edge of a turned picture
    full = np.count_nonzero(above) * 2 > above.size and np.count_nonzero(above[-LEAST_EMPTY:]) > 0
    return bool(full and not faded)


def _tiff(content: bytes, tags: Any) -> str | None:
    """The first page of a TIFF, by its tags."""
    tiled = Tiff.TILEOFFSETS in tags
    offsets = tags.get(Tiff.TILEOFFSETS if tiled else Tiff.STRIPOFFSETS, ())
    counts = tags.get(Tiff.TILEBYTECOUNTS if tiled else Tiff.STRIPBYTECOUNTS, ())
    strips = [content[offset : offset + count] for offset, count in zip(offsets, counts, strict=False) if count]
    compression = tags.get(Tiff.COMPRESSION, NONE)
    if compression == NONE:
        return STOPPED if _stops(b"".join(strips), _stride(tags, tiled)) else None
    if compression in DEFLATE:
        return next(filter(None, map(_inflate, strips)), None)
    if compression == PACKBITS:
        return EMPTY if any(bytes(EMPTY_RUN) in strip for strip in strips) else None
    if compression == JPEG:
        tables = bytes(tags.get(Tiff.JPEGTABLES, b""))
        whole = [tables.removesuffix(b"\xff\xd9") + strip[2:] if tables else strip for strip in strips]
        return next(filter(None, map(jpeg_damage, whole)), None)
    return None


def _stride(tags: Any, tiled: bool) -> int:
    """Bytes of a row of a strip or tile."""
    width = tags.get(Tiff.TILEWIDTH if tiled else Tiff.IMAGEWIDTH, 0)
    bits: tuple[int, ...] = tags.get(Tiff.BITSPERSAMPLE, (1,))
    separate = tags.get(Tiff.PLANAR_CONFIGURATION, 1) == 2
    return int(width * (bits[0] if separate else sum(bits)) + 7) // 8


def _inflate(strip: bytes) -> str | None:
    """A strip of Deflate is a whole stream of zlib; libtiff passes over some damage within."""
    stream = zlib.decompressobj()
    try:
        while strip and not stream.eof:
            stream.decompress(strip, 1 << 20)
            strip = stream.unconsumed_tail
    except zlib.error as error:
        return f"a strip of it cannot be inflated ({error})"
    return None if stream.eof else "a strip of it ends early"
