"""One photograph's bytes to a square uint8 RGB target.

- The content decides what a file is, not its suffix. A file that its decoder warns about, or whose data ends early, is
  skipped (`formats.damage`).
- EXIF rotation is undone first; only the first frame of a moving or many-page image counts.
- Colours are those that a viewer shows (`colour.to_srgb`): profiles to sRGB, grey to equal channels, sixteen bits to
  eight by dividing by 257 and rounding; Pillow itself halves sixteen-bit colour by dropping the low byte, at most one
  level off. Transparent parts are laid over white, as a page shows a cut-out portrait.
- The largest centred square is kept, then resized by OpenCV.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from blindface.base.images import Image, resize
from blindface.photographs.colour import to_srgb
from blindface.photographs.formats import damage, is_heif, is_image, open_image
from blindface.photographs.names import RAW
from blindface.photographs.rasters import raster_damage

ORIENTATION = 0x0112
TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""What undoes an orientation of EXIF (CIPA DC-008, 4.6.4)."""
MOST_PIXELS = 100_000_000
BROKEN = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, AttributeError),
    *(RuntimeError, MemoryError, struct.error, zlib.error),
)
"""What Pillow's many plugins raise on broken files."""


class UnusableError(Exception):
    """Why a photograph is skipped."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target with where it was cut from: the photograph's size and the square, in photograph pixels."""

    image: Image
    width: int
    height: int
    x: int
    y: int
    side: int


def decode_target(content: bytes, size: int, interpolation: str, smallest_side: int, suffix: str = "") -> Target:
    """Decode, cut the centred square and resize to (size, size, 3) uint8 RGB.

    suffix: of the file's name, which tells camera raw files from other TIFFs.
    Errors: UnusableError with the reason if the photograph cannot be read, is damaged, or is too small or too large.
    """
    image = decode(content, suffix)
    height, width = image.shape[:2]
    side = min(height, width)
    if side < smallest_side:
        raise UnusableError(f"too small: {width}x{height}, the shorter side must have {smallest_side} pixels")
    x, y = (width - side) // 2, (height - side) // 2
    square = np.ascontiguousarray(image[y : y + side, x : x + side])
    return Target(resize(square, size, interpolation), width, height, x, y, side)


def decode(content: bytes, suffix: str = "") -> Image:
    """Decode any still image to uint8 RGB (H, W, 3), upright, in sRGB. Errors: UnusableError with the reason."""
    if not content:
        raise UnusableError("unreadable: the file is empty, or could not be opened when its folder was packed")
    if suffix.lower() in RAW and not content.startswith(b"\xff\xd8\xff"):
        raise UnusableError("unreadable: a camera raw file; develop it to a JPEG or TIFF first")
    try:
        with open_image(content) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise UnusableError(f"too large: {opened.width}x{opened.height} pixels")
            tiles = list(getattr(opened, "tile", []))
            opened.load()
            kind = opened.format or ""
            broken = damage(content, kind) or raster_damage(content, kind, opened, tiles)
            if broken:
                raise UnusableError(f"damaged: {broken[:120]}")
            return np.asarray(_upright(to_srgb(opened, content), opened), dtype=np.uint8)
    except ImportError:
        raise UnusableError("unreadable: HEIC needs the package pillow-heif; install it, or export as JPEG") from None
    except UnidentifiedImageError:
        known = (
            "unreadable: damaged, or of a rare kind; save it as PNG"
            if is_image(content)
            else "unreadable: no image format is recognised"
        )
        raise UnusableError("unreadable: this kind of HEIC is not known" if is_heif(content) else known) from None
    except Pillow.DecompressionBombError:
        raise UnusableError("too large: a decompression bomb") from None
    except BROKEN as error:
        kind = "truncated" if "truncated" in str(error) else "unreadable"
        raise UnusableError(f"{kind}: {' '.join(str(error).split())[:120]}") from None


def _upright(image: Pillow.Image, notes: Pillow.Image) -> Pillow.Image:
    """Turn an image as the EXIF or XMP notes of its file say."""
    try:
        turn = TURNS.get(notes.getexif().get(ORIENTATION, 1))
    except BROKEN:
        return image  # the pixels are whole, only the notes about them are not
    return image if turn is None else image.transpose(turn)
