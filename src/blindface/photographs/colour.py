"""The colours of a decoded image as a viewer shows them: sRGB, upright polarity, transparency over white.

What says how levels are meant, in order: the embedded ICC profile; of a PNG cICP, sRGB, gAMA and cHRM (PNG
specification, third edition, section 4.3); else sRGB. A profile that does not fit its image is passed over, as viewers
do. Conversions are littleCMS's, perceptual, with 8 bits per channel, so that they round once more: one level.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms

WHITE_IS_ZERO, PHOTOMETRIC, BITS, SAMPLE_FORMAT = 0, 262, 258, 339
"""Tags of TIFF 6.0, and the value of a photometric interpretation."""
SRGB_GAMMA = 0.45455
D65 = (0.3127, 0.329)
BT709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
D50 = (0.9642, 1.0, 0.8249)
"""XYZ of the profile connection space's white."""
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
PRIMARIES = {1: BT709, 9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046), 12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)}
"""Colour primaries of cICP (ITU-T H.273, table 2) with the white of D65: BT.709, BT.2020, Display P3."""


def to_srgb(image: Pillow.Image, content: bytes = b"") -> Pillow.Image:
    """Any decoded image as RGB of 8 bits in sRGB, transparent parts over white.

    content: the bytes of the file, for what Pillow does not hand over. Errors: ValueError for pixels without an agreed
    range (floating point).
    """
    profile = image.info.get("icc_profile") or _png_profile(image, content)
    colours, alpha = _split(image)
    converted = _convert(colours, profile)
    if alpha is None:
        return converted
    page = Pillow.new("RGB", image.size, "white")
    page.paste(converted, mask=alpha)
    return page


def _split(image: Pillow.Image) -> tuple[Pillow.Image, Pillow.Image | None]:
    """Colours (L, RGB, CMYK or LAB, 8 bits) and, where there is any transparency, alpha (L)."""
    mode, transparency = image.mode, image.info.get("transparency")
    if mode == "F":
        raise ValueError("floating-point pixels have no agreed range")
    if mode == "I" or mode.startswith("I;16"):
        return _sixteen_bits(image, transparency)
    if mode in ("RGBa", "La"):
        image = image.convert({"RGBa": "RGBA", "La": "LA"}[mode])
        mode = image.mode
    if mode in ("L", "RGB", "CMYK", "LAB") and transparency is None:
        return image, None
    if mode == "1" and transparency is None:
        return image.convert("L"), None
    if mode in ("LA", "1", "L"):
        both = image.convert("LA")
        return both.getchannel("L"), both.getchannel("A")
    if mode in ("RGBA", "PA") or transparency is not None:
        both = image.convert("RGBA")
        return both.convert("RGB"), both.getchannel("A")
    return image.convert("RGB"), None


def _sixteen_bits(image: Pillow.Image, transparency: Any) -> tuple[Pillow.Image, Pillow.Image | None]:
    tags = getattr(image, "tag_v2", {})
    if 2 in _several(tags.get(SAMPLE_FORMAT)) or 32 in _several(tags.get(BITS)):
        raise ValueError("signed levels and levels of 32 bits have no agreed range; save it with 8 or 16 bits")
    levels = np.asarray(image).astype(np.int64).clip(0, 65535)
    alpha = Pillow.fromarray(np.where(levels == transparency, 0, 255).astype(np.uint8)) if transparency else None
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        levels = 65535 - levels
    return Pillow.fromarray(((levels + 128) // 257).astype(np.uint8)), alpha


def _several(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _convert(colours: Pillow.Image, profile: bytes | None) -> Pillow.Image:
    """One profile conversion, for what has a profile or is in another space than RGB."""
    if colours.mode == "LAB":
        return _through(colours, ImageCms.createProfile("LAB")) or colours.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        except (ImageCms.PyCMSError, OSError):
            source = None
        space = source.profile.xcolor_space.strip() if source else ""
        if source and space == {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}[colours.mode] and not _is_srgb(source):
            converted = _through(colours, source)
            if converted is not None:
                return converted
    return colours.convert("RGB")


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether a profile says by name that it is sRGB: then levels stay as they are."""
    return "sRGB" in (profile.profile.profile_description or "")


def _through(colours: Pillow.Image, source: Any) -> Pillow.Image | None:
    try:
        return ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _png_profile(image: Pillow.Image, content: bytes) -> bytes | None:
    """A profile made of what a PNG says without one, or None for sRGB."""
    if image.format != "PNG" or image.mode not in ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"):
        return None
    grey = image.mode[0] in "1LI"
    coded = _chunk(content, b"cICP")
    if coded is not None and len(coded) == 4:
        code, transfer, matrix, full = coded
        if code in PRIMARIES and transfer in (1, 6, 13, 14, 15) and matrix == 0 and full == 1:
            return None if code == 1 else matrix_profile(PRIMARIES[code], D65, None, grey)
    if _chunk(content, b"sRGB") is not None:
        return None
    gamma = image.info.get("gamma")
    places = image.info.get("chromaticity")
    if not gamma and not places:
        return None
    gamma = gamma or SRGB_GAMMA
    white, primaries = (tuple(places[:2]), tuple(places[2:])) if places else (D65, BT709)
    near = np.allclose((*white, *primaries), (*D65, *BT709), atol=2e-3)
    if abs(gamma - SRGB_GAMMA) < 5e-4 and near:
        return None
    return matrix_profile(primaries, white, 1 / gamma, grey)


def _chunk(content: bytes, wanted: bytes) -> bytes | None:
    place = 8
    while place + 12 <= len(content):
        size, kind = struct.unpack(">I4s", content[place : place + 8])
        if kind == wanted:
            return content[place + 8 : place + 8 + size]
        if kind in (b"IDAT", b"IEND"):
            return None
        place += 12 + size
    return None


def matrix_profile(
    primaries: tuple[float, ...], white: tuple[float, ...], gamma: float | None, grey: bool = False
) -> bytes:
    """An ICC profile (version 2.1, ICC.1:2001-04) of primaries and white point as chromaticities x, y, and one gamma.

    primaries: (6,) red, green, blue; gamma: the exponent of decoding, None: sRGB's curve; grey: one channel.
    """
    curve = _curve(gamma)
    tags: dict[bytes, bytes] = {b"wtpt": _xyz(D50), b"desc": _description("from PNG"), b"cprt": b"text\0\0\0\0none\0"}
    if grey:
        tags[b"kTRC"] = curve
    else:
        columns = _columns(primaries, white)
        for place, name in enumerate((b"r", b"g", b"b")):
            tags[name + b"XYZ"], tags[name + b"TRC"] = _xyz(columns[:, place]), curve
    return _assemble(tags, b"GRAY" if grey else b"RGB ")


def _columns(primaries: tuple[float, ...], white: tuple[float, ...]) -> NDArray[np.float64]:
    """XYZ of the primaries, adapted from the white point to D50 by Bradford's transform."""
    chromaticities = np.array(primaries).reshape(3, 2)
    xyz = np.stack([[x / y, 1.0, (1 - x - y) / y] for x, y in chromaticities], axis=1)
    x, y = white
    source = np.array([x / y, 1.0, (1 - x - y) / y])
    scaled = xyz * np.linalg.solve(xyz, source)
    gains = (BRADFORD @ np.array(D50)) / (BRADFORD @ source)
    adapted: NDArray[np.float64] = np.linalg.inv(BRADFORD) @ np.diag(gains) @ BRADFORD @ scaled
    return adapted


def _curve(gamma: float | None) -> bytes:
    if gamma is not None:
        return struct.pack(">4sIIHxx", b"curv", 0, 1, round(gamma * 256))
    levels = np.linspace(0, 1, 1024)
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return struct.pack(">4sII", b"curv", 0, 1024) + (linear * 65535).round().astype(">u2").tobytes()


def _xyz(values: Any) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _description(text: str) -> bytes:
    encoded = text.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(encoded)) + encoded + bytes(78)


def _assemble(tags: dict[bytes, bytes], space: bytes) -> bytes:
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02100000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _xyz(D50)[8:]
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + body
