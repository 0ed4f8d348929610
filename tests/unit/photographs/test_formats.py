"""Damaged files: what their decoder warns about, or what ends early, is never a target."""

from __future__ import annotations

import contextlib
import io
import struct

import numpy as np
import pytest
from PIL import Image as Pillow

from blindface.photographs.decode import UnusableError, decode
from blindface.photographs.formats import damage, is_image

rng = np.random.default_rng(3)
PIXELS = np.clip(np.cumsum(rng.normal(0, 4, (160, 200, 3)), axis=0) + 120 + rng.normal(0, 9, (160, 200, 3)), 0, 255)
IMAGE = Pillow.fromarray(PIXELS.astype(np.uint8))
KINDS = {
    "jpeg": ("JPEG", {"quality": 90}),
    "progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "grey jpeg": ("JPEG", {"quality": 90}),
    "cmyk jpeg": ("JPEG", {"quality": 90}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 90}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "avif": ("AVIF", {"quality": 80}),
    "jpeg 2000": ("JPEG2000", {}),
    "gif": ("GIF", {}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
}


def encoded(kind: str) -> bytes:
    name, options = KINDS[kind]
    image = IMAGE.convert({"grey jpeg": "L", "cmyk jpeg": "CMYK"}.get(kind, "RGB"))
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_read_and_known_by_its_first_bytes(kind: str) -> None:
    content = encoded(kind)
    assert decode(content).shape == (160, 200, 3)
    assert is_image(content[:4096])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("harm", ["cut", "cut at the very end", "empty middle", "hole"])
def test_a_damaged_file_is_refused(kind: str, harm: str) -> None:
    whole = encoded(kind)
    middle, late = len(whole) // 2, len(whole) * 9 // 10
    content = {
        "cut": whole[:middle],
        "cut at the very end": whole[:-2],
        "empty middle": whole[:middle] + bytes(late - middle) + whole[late:],
        "hole": whole[:middle] + whole[middle + 300 :],
    }[harm]
    with pytest.raises(UnusableError):
        decode(content)


@pytest.mark.parametrize("seed", range(5))
def test_noise_within_a_jpeg_or_png_is_refused(seed: int) -> None:
    for kind in ("jpeg", "png"):
        content = bytearray(encoded(kind))
        start = len(content) // 2
        content[start : start + 200] = np.random.default_rng(seed).bytes(200)
        with pytest.raises(UnusableError):
            decode(bytes(content))


def test_bytes_after_the_end_harm_nothing() -> None:
    for kind in ("jpeg", "png"):
        assert decode(encoded(kind) + b"appended by a camera").shape == (160, 200, 3)


def test_text_is_no_image() -> None:
    for text in (b"", b"id,part\n", b"BM is not a bitmap here, only text.....", b"P5 notes", b"RIFF....WAVE", b"{}"):
        assert not is_image(text.ljust(64))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", KINDS)
def test_noise_anywhere_is_a_reason_or_a_picture_never_another_error(kind: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    content = bytearray(encoded(kind))
    for place in draw.integers(0, 400 if seed % 2 else len(content), 3):
        content[place] = draw.integers(256)
    with contextlib.suppress(UnusableError):
        assert decode(bytes(content)).ndim == 3


def test_an_empty_part_of_a_heic_is_damage() -> None:
    kinds = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic")
    data = bytes(range(1, 256)) * 8
    assert damage(kinds + struct.pack(">I4s", 8 + len(data), b"mdat") + data, "HEIF") is None
    half = data[:1000] + bytes(len(data) - 1000)
    assert damage(kinds + struct.pack(">I4s", 8 + len(half), b"mdat") + half, "HEIF") == "a part of its data is empty"


def test_levels_without_an_agreed_range_are_refused() -> None:
    file = io.BytesIO()
    Pillow.fromarray(np.full((80, 80), 1 << 30, np.int32)).save(file, "TIFF")
    with pytest.raises(UnusableError, match="no agreed range"):
        decode(file.getvalue())
