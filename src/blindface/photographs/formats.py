"""What the bytes of a file tell: whether it is an image, and whether it is a whole one.

Pillow decodes damaged files in silence where their format lets it: libjpeg's warnings, checksums of PNG and missing
ends never reach it. So JPEGs are decoded once more by simplejpeg (libjpeg-turbo as well), which reports every warning,
and the containers of the others are walked.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator

import simplejpeg
from PIL import Image as Pillow

FORMATS = [
    *("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO"),
    *("PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
]
"""What Pillow may try: still images, and nothing that starts another program."""
MAGIC = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"qoif"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL ", b"\xff\x0a"),
)
BRANDS = frozenset(b"avif avis heic heix heim heis hevc hevx mif1 msf1 crx".split())
HEIF_BRANDS = BRANDS - {b"avif", b"avis"}
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
EMPTY_RUN = 256
"""Zero bytes in a row that no entropy coder writes: what a download that stopped leaves of a preallocated file."""


def is_image(head: bytes) -> bool:
    """Whether the first bytes of a file, 64 or more, are those of an image."""
    if head.startswith(MAGIC) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return True
    if brand(head) in BRANDS or re.match(rb"P[1-6]\s+(#[^\n]*\s+)*\d+\s+\d+\s", head):
        return True
    return head.startswith(b"BM") and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in BMP_HEADERS


def brand(head: bytes) -> bytes:
    """The brand of an ISO container (AVIF, HEIC, CR3), or nothing."""
    return head[8:12].strip() if head[4:8] == b"ftyp" else b""


def is_heif(head: bytes) -> bool:
    """Whether a file is one of those that Pillow alone cannot read: HEIC and its kin."""
    return brand(head) in HEIF_BRANDS


def open_image(content: bytes) -> Pillow.Image:
    """Open an image without decoding it. Errors: Pillow's, among them UnidentifiedImageError."""
    Pillow.init()  # else only the commonest formats are known; it does its work once
    formats = [name for name in FORMATS if name in Pillow.OPEN]
    if is_heif(content):
        import pillow_heif  # an extra: the wheel brings codecs of other licences

        pillow_heif.register_heif_opener()
        formats.append("HEIF")
    return Pillow.open(io.BytesIO(content), formats=formats)


def damage(content: bytes, kind: str) -> str | None:
    """What is wrong with the bytes of an image that Pillow may have decoded all the same, or None.

    kind: Pillow's name of the format.
    """
    check = {"JPEG": jpeg_damage, "MPO": jpeg_damage, "PNG": _png, "GIF": _gif, "WEBP": _webp}
    check |= dict.fromkeys(("AVIF", "HEIF", "JPEG2000"), _boxes)
    return check[kind](content) if kind in check else None


def jpeg_damage(content: bytes) -> str | None:
    """What libjpeg-turbo warns about in a JPEG, or None."""
    try:
        space = simplejpeg.decode_jpeg_header(content)[2]
        space = space if space in ("GRAY", "CMYK") else "RGB"
        colours = "CMYK" if space == "CMYK" else space
        simplejpeg.decode_jpeg(content, colorspace=colours, strict=True)
    except ValueError as error:
        try:
            simplejpeg.decode_jpeg(content, colorspace=colours, strict=False)
        except (ValueError, UnboundLocalError):
            return None  # a kind of JPEG that this decoder does not know: Pillow's word counts
        return str(error)
    return None


def _png(content: bytes) -> str | None:
    place, kind = 8, b""
    while kind != b"IEND":
        if len(content) < place + 12:
            return "the file ends before its last chunk"
        size, kind = struct.unpack(">I4s", content[place : place + 8])
        body, end = content[place + 4 : place + 8 + size], place + 12 + size
        if len(content) < end:
            return f"the file ends within a chunk {kind.decode('latin-1')}"
        if zlib.crc32(body) != int.from_bytes(content[end - 4 : end], "big") and kind[:1].isupper():
            return f"the checksum of a chunk {kind.decode('latin-1')} is wrong"
        place = end
    return None


def _gif(content: bytes) -> str | None:
    return None if content.rstrip(b"\0").endswith(b";") else "the file ends before its last block"


def _webp(content: bytes) -> str | None:
    place = 12
    while place + 8 <= len(content):
        kind, size = struct.unpack("<4sI", content[place : place + 8])
        body = content[place + 8 : place + 8 + size]
        if kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANMF") and bytes(EMPTY_RUN) in body:
            return "a part of its data is empty"
        place += 8 + size + size % 2
    return None


def _boxes(content: bytes) -> str | None:
    """AVIF and JPEG 2000: boxes of the ISO container, or a bare codestream."""
    bodies = _payloads(content) if content[4:8] in (b"ftyp", b"jP  ") else [content]
    if any(bytes(EMPTY_RUN) in body for body in bodies):
        return "a part of its data is empty"
    whole = content[4:8] == b"ftyp" or content.rstrip(b"\0").endswith(b"\xff\xd9")
    return None if whole else "the file ends before its end marker"


def _payloads(content: bytes) -> Iterator[bytes]:
    place = 0
    while place + 8 <= len(content):
        size, kind = struct.unpack(">I4s", content[place : place + 8])
        start = place + 8
        if size == 1:
            size, start = int.from_bytes(content[place + 8 : place + 16], "big"), place + 16
        end = place + size if size else len(content)
        if kind in (b"mdat", b"jp2c"):
            yield content[start:end]
        if end <= place:
            return
        place = end
