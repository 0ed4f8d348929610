"""One photograph's bytes to a square uint8 RGB target.

- EXIF rotation is undone first; only the first frame of a moving or many-page image counts.
- Grey becomes equal channels. Sixteen bits become eight by dividing by 257 and rounding; Pillow itself halves
  sixteen-bit colour by dropping the low byte, at most one level off.
- Transparent parts are laid over white, as a page shows a cut-out portrait.
- CMYK goes through the embedded profile to sRGB where there is one, by Pillow's plain formula otherwise.
- The largest centred square is kept, then resized by OpenCV.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from blindface.base.images import Image, resize

MOST_PIXELS = 100_000_000
BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, KeyError, struct.error)
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


def decode_target(content: bytes, size: int, interpolation: str, smallest_side: int) -> Target:
    """Decode, cut the centred square and resize to (size, size, 3) uint8 RGB.

    Errors: UnusableError with the reason if the photograph cannot be read, is cut off, or is too small or too large.
    """
    image = decode(content)
    height, width = image.shape[:2]
    side = min(height, width)
    if side < smallest_side:
        raise UnusableError(f"too small: {width}x{height}, the shorter side must have {smallest_side} pixels")
    x, y = (width - side) // 2, (height - side) // 2
    square = np.ascontiguousarray(image[y : y + side, x : x + side])
    return Target(resize(square, size, interpolation), width, height, x, y, side)


def decode(content: bytes) -> Image:
    """Decode any still image to uint8 RGB (H, W, 3), upright. Errors: UnusableError with the reason."""
    if not content:
        raise UnusableError("unreadable: the file is empty, or could not be opened when its folder was packed")
    try:
        with Pillow.open(io.BytesIO(content)) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise UnusableError(f"too large: {opened.width}x{opened.height} pixels")
            opened.load()
            return np.asarray(_to_rgb(_upright(opened)), dtype=np.uint8)
    except UnidentifiedImageError:
        raise UnusableError("unreadable: no image format is recognised") from None
    except Pillow.DecompressionBombError:
        raise UnusableError("too large: a decompression bomb") from None
    except BROKEN as error:
        kind = "truncated" if "truncated" in str(error) else "unreadable"
        raise UnusableError(f"{kind}: {' '.join(str(error).split())[:120]}") from None


def _upright(image: Pillow.Image) -> Pillow.Image:
    try:
        return ImageOps.exif_transpose(image)
    except BROKEN:
        return image  # the pixels are whole, only the notes about them are not


def _to_rgb(image: Pillow.Image) -> Pillow.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16") or image.mode == "I":
        levels = np.asarray(image).astype(np.int64).clip(0, 65535)
        return Pillow.fromarray(((levels + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise UnusableError("unreadable: floating-point pixels have no agreed range")
    if image.mode == "CMYK":
        return _from_cmyk(image)
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        page = Pillow.new("RGBA", image.size, "white")
        return Pillow.alpha_composite(page, image).convert("RGB")
    return image.convert("RGB")


def _from_cmyk(image: Pillow.Image) -> Pillow.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")
