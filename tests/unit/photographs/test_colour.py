"""Colours as a viewer shows them: every mode and depth in every container that can hold it.

The expected levels are computed here by the formulas of IEC 61966-2-1 (sRGB) and of the spaces that the files name.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from blindface.photographs.colour import BT709, D65, PRIMARIES, matrix_profile
from blindface.photographs.decode import decode

ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
"""Adobe RGB (1998), section 4.3.1; its gamma is 563/256."""
COLOUR = np.array([0.6, 0.15, 0.08])
"""Linear sRGB: inside all gamuts used here, and far from how they encode it."""
WHITE = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])


def matrix(primaries: tuple[float, ...]) -> np.ndarray:
    xyz = np.stack([[x / y, 1, (1 - x - y) / y] for x, y in np.array(primaries).reshape(3, 2)], axis=1)
    return xyz * np.linalg.solve(xyz, WHITE)


def srgb(linear: np.ndarray) -> np.ndarray:
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def in_space(primaries: tuple[float, ...], gamma: float | None) -> np.ndarray:
    """COLOUR as that space encodes it, 0 to 1."""
    linear = np.linalg.solve(matrix(primaries), matrix(BT709) @ COLOUR)
    return srgb(linear) / 255 if gamma is None else linear ** (1 / gamma)


HOLDS = {
    "PNG": ("RGB", "RGBA", "P", "RGB 16"),
    "TIFF": ("RGB", "RGBA", "P"),
    "JPEG": ("RGB",),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
}
"""The colour modes that each container can hold, as far as they can be written here."""
SPACES = {"adobe": (ADOBE, 563 / 256), "p3": (PRIMARIES[12], None), "bt2020": (PRIMARIES[9], None)}


def flat(values: np.ndarray, depth: int = 8) -> np.ndarray:
    top, kind = (255, np.uint8) if depth == 8 else (65535, np.uint16)
    return np.broadcast_to((values * top).round().astype(kind), (80, 80, np.size(values))).copy()


def png16(levels: np.ndarray, colour_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of sixteen bits, which Pillow cannot write in colour. levels: (H, W, C) uint16."""
    height, width = levels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    header = (b"IHDR", struct.pack(">2I5B", width, height, 16, colour_type, 0, 0, 0))
    parts = [header, *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + body


def iccp(profile: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"x\0\0" + zlib.compress(profile)


def saved(image: Pillow.Image, container: str, **options: object) -> bytes:
    file = io.BytesIO()
    lossless = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "AVIF": {"quality": 100}}
    image.save(file, container, **lossless.get(container, {}), **options)
    return file.getvalue()


def centre(content: bytes) -> np.ndarray:
    return decode(content)[40, 40].astype(float)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("container", "mode"), [(container, mode) for container in HOLDS for mode in HOLDS[container]])
def test_a_colour_profile_is_honoured(space: str, mode: str, container: str) -> None:
    primaries, gamma = SPACES[space]
    profile, values = matrix_profile(primaries, D65, gamma), in_space(primaries, gamma)
    if mode == "RGB 16":
        content = png16(flat(values, 16), 2, iccp(profile))
    else:
        image = Pillow.fromarray(flat(values)).convert(mode, palette=Pillow.Palette.ADAPTIVE)
        content = saved(image, container, icc_profile=profile)
    # two levels: both roundings to 8 bits, and the codec's
    np.testing.assert_allclose(centre(content), srgb(COLOUR), atol=2.5)
    plain = 255 * values
    assert np.abs(plain - srgb(COLOUR)).max() > 8  # what not looking at the profile would give


@pytest.mark.parametrize(
    ("container", "mode"),
    [("PNG", "L"), ("PNG", "LA"), ("PNG", "L 16"), ("JPEG", "L"), ("TIFF", "L"), ("TIFF", "LA"), ("TIFF", "L 16")],
)
def test_a_grey_profile_is_honoured(mode: str, container: str) -> None:
    profile = matrix_profile(BT709, D65, 1.0, grey=True)
    grey = np.array([0.2])
    if mode == "L 16":
        image = Pillow.fromarray(flat(grey, 16)[..., 0])
    else:
        image = Pillow.fromarray(flat(grey)[..., 0]).convert(mode)
    np.testing.assert_allclose(centre(saved(image, container, icc_profile=profile)), srgb(np.repeat(grey, 3)), atol=2.5)


@pytest.mark.parametrize("depth", [8, 16])
def test_gamma_and_primaries_of_a_png_are_honoured(depth: int) -> None:
    primaries, gamma = SPACES["adobe"]
    places = struct.pack(">8I", *(round(value * 100000) for value in (*D65, *primaries)))
    chunks = ((b"gAMA", struct.pack(">I", round(100000 / gamma))), (b"cHRM", places))
    levels = flat(in_space(primaries, gamma), depth).astype(np.uint16)
    content = png16(levels * 257 if depth == 8 else levels, 2, *chunks)
    np.testing.assert_allclose(centre(content), srgb(COLOUR), atol=2.5)
    linear = png16(flat(np.array([0.2]), 16), 0, (b"gAMA", struct.pack(">I", 100000)))
    np.testing.assert_allclose(centre(linear), srgb(np.repeat(0.2, 3)), atol=2.5)
    p3 = png16(flat(in_space(*SPACES["p3"]), 16), 2, (b"cICP", bytes((12, 13, 0, 1))))
    np.testing.assert_allclose(centre(p3), srgb(COLOUR), atol=2.5)


def test_srgb_stays_as_it_is_to_the_bit() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gamma = ((b"gAMA", struct.pack(">I", 45455)), (b"sRGB", b"\0"))
    for content in (
        saved(Pillow.fromarray(pixels), "PNG"),
        saved(Pillow.fromarray(pixels), "PNG", icc_profile=profile),
        saved(Pillow.fromarray(pixels), "PNG", icc_profile=b"broken"),
        png16(pixels.astype(np.uint16) * 257, 2, *gamma),
    ):
        np.testing.assert_array_equal(decode(content), pixels)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_orientation_is_undone_in_every_container(mode: str, container: str, turn: int) -> None:
    upright = np.zeros((80, 120, 3), np.uint8)
    upright[:40, :60] = 250
    undo = [(0, 0), (0, 1), (2, 0), (2, 1), (3, 1), (3, 0), (1, 1), (1, 0)][turn - 1]  # quarter turns, then a mirror
    stored = np.rot90(upright[:, ::-1] if undo[1] else upright, undo[0])
    if turn in (5, 7):
        stored = upright.transpose(1, 0, 2) if turn == 5 else upright[::-1, ::-1].transpose(1, 0, 2)
    if turn in (6, 8):
        stored = np.rot90(upright, 1 if turn == 6 else 3)
    if turn == 4:
        stored = upright[::-1]
    exif = Pillow.Exif()
    exif[0x0112] = turn
    image = Pillow.fromarray(np.ascontiguousarray(stored)).convert(mode)
    if container == "WEBP" and mode == "L":
        image = image.convert("RGB")
    shown = decode(saved(image, container, exif=exif)).astype(int)
    assert shown.shape == (80, 120, 3)
    np.testing.assert_allclose(shown[[20, 20, 60, 60], [30, 90, 30, 90], 0], [250, 0, 0, 0], atol=4)


def test_polarity_transparency_and_other_spaces() -> None:
    grey = np.full((80, 80), 200, np.uint8)
    white_is_zero = io.BytesIO()
    Pillow.fromarray(grey).save(white_is_zero, "TIFF", tiffinfo={262: 0})
    sixteen = Pillow.fromarray(np.full((80, 80), 51400, np.uint16))
    inks = np.zeros((80, 80, 4), np.uint8)
    inks[..., 0] = 255
    cyan = Pillow.fromarray(inks, "CMYK")
    for content in (saved(cyan, "JPEG"), saved(cyan, "TIFF")):
        np.testing.assert_allclose(centre(content), (0, 255, 255), atol=3)
    np.testing.assert_allclose(centre(saved(sixteen, "TIFF")), 200, atol=1)
    hidden = saved(sixteen, "PNG", transparency=51400)
    np.testing.assert_allclose(centre(hidden), 255, atol=1)
    half = Pillow.fromarray(np.dstack([grey, np.full_like(grey, 128)]), "LA")
    np.testing.assert_allclose(centre(saved(half, "PNG")), 200 * 128 / 255 + 255 * 127 / 255, atol=1)
    # D50's L* = 50, a* = b* = 0 is the mid grey of sRGB: 118.9 of 255 (CIE 15, IEC 61966-2-1)
    lab = Pillow.new("LAB", (80, 80), (128, 128, 128))
    np.testing.assert_allclose(centre(saved(lab, "TIFF")), 119, atol=2.5)
