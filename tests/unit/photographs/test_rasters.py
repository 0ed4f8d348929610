"""Damage of files without checksums of their own: uncompressed pixels, run lengths, strips of a TIFF."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from blindface.photographs.decode import UnusableError, decode

rng = np.random.default_rng(3)
PIXELS = np.clip(np.cumsum(rng.normal(0, 4, (160, 201, 3)), axis=0) + 120 + rng.normal(0, 9, (160, 201, 3)), 0, 255)
IMAGE = Pillow.fromarray(PIXELS.astype(np.uint8))
LETTERBOX = PIXELS.astype(np.uint8)
LETTERBOX[:30] = LETTERBOX[120:] = 0
CUT_OUT = PIXELS.astype(np.uint8)
CUT_OUT[np.hypot(*np.ogrid[-80:80, -100:101]) > 60] = 0
TURNED = np.asarray(IMAGE.rotate(0.2, Pillow.Resampling.BILINEAR, translate=(0, -20)))
SLANTED = np.asarray(IMAGE.rotate(3, Pillow.Resampling.NEAREST, translate=(0, -20)))
DARK = np.where(rng.random((160, 201, 3)) < 0.002, 9, 0).astype(np.uint8)
WHOLE = {
    "photograph": PIXELS.astype(np.uint8),
    "black": np.zeros((160, 201, 3), np.uint8),
    "letterboxed": LETTERBOX,
    "pillarboxed": LETTERBOX.transpose(1, 0, 2).copy(),
    "cut out on black": CUT_OUT,
    "turned a little": TURNED,
    "turned": SLANTED,
    "almost black": DARK,
    "black below a dim edge": np.where(np.arange(160)[:, None, None] < 90, PIXELS // 40, 0).astype(np.uint8),
}
PLAIN = ["TIFF", "BMP", "PPM", "TGA", "SGI"]
LACKS = [("PPM", "RGBA"), ("PPM", "P"), ("SGI", "P"), ("SGI", "1")]


def pairs(*modes: str) -> list[tuple[str, str]]:
    """Containers and the modes that they can hold."""
    return [(kind, mode) for kind in PLAIN for mode in modes if (kind, mode) not in LACKS]


def saved(pixels: np.ndarray | Pillow.Image, kind: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Pillow.Image) else Pillow.fromarray(pixels)
    image.convert(mode).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "mode"), pairs("RGB", "L", "RGBA"))
@pytest.mark.parametrize("share", [0.37, 0.52, 0.9])
def test_uncompressed_pixels_that_stop_within_a_row_are_damage(kind: str, mode: str, share: float) -> None:
    whole = saved(IMAGE, kind, mode)
    channels = {"RGB": 3, "L": 1, "RGBA": 4}[mode]
    row = (201 * channels + 3) // 4 * 4 if kind == "BMP" else 201 * (1 if kind == "SGI" else channels)
    keep = int(len(whole) * share) // row * row + len(whole) % row + row // 3  # well within some row
    stopped = whole[:keep] + bytes(len(whole) - keep)
    with pytest.raises(UnusableError, match="damaged: its pixels stop within a row"):
        decode(stopped)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize(("kind", "mode"), pairs("RGB", "L", "1", "P"))
def test_black_borders_and_dark_pictures_are_no_damage(kind: str, name: str, mode: str) -> None:
    for pixels in (WHOLE[name], WHOLE[name][::-1], WHOLE[name][:, ::-1]):
        assert decode(saved(np.ascontiguousarray(pixels), kind, mode)).ndim == 3


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("options", [{"compression": "tiff_adobe_deflate"}, {"compression": "packbits"}])
def test_whole_tiffs_are_read(name: str, options: dict[str, object]) -> None:
    assert decode(saved(WHOLE[name], "TIFF", **options)).shape == WHOLE[name].shape


@pytest.mark.parametrize(("kind", "options"), [("TGA", {"compression": "tga_rle"}), ("PCX", {}), ("QOI", {})])
def test_run_lengths_never_hold_many_zeros(kind: str, options: dict[str, object]) -> None:
    for name, pixels in WHOLE.items():
        assert decode(saved(pixels, kind, **options)).shape == pixels.shape, name
    whole = saved(IMAGE, kind, **options)
    half = len(whole) // 2
    with pytest.raises(UnusableError):
        decode(whole[:half] + bytes(len(whole) - half))


@pytest.mark.parametrize(
    ("compression", "harm"),
    [
        *((name, "empty") for name in ("tiff_adobe_deflate", "tiff_deflate", "tiff_lzw", "packbits", "jpeg")),
        *((name, "changed") for name in ("tiff_adobe_deflate", "tiff_deflate", "jpeg")),
    ],
)
def test_strips_of_a_tiff_are_checked(compression: str, harm: str) -> None:
    whole = saved(IMAGE, "TIFF", compression=compression, **({"quality": 90} if compression == "jpeg" else {}))
    assert decode(whole).shape == (160, 201, 3)
    image = Pillow.open(io.BytesIO(whole))
    offset, size = image.tag_v2[273][-1], image.tag_v2[279][-1]  # type: ignore[attr-defined]
    end = offset + size if harm == "empty" else offset + size // 2 + 200
    start = offset + size // 2
    harmed = whole[:start] + (bytes(end - start) if harm == "empty" else rng.bytes(end - start)) + whole[end:]
    with pytest.raises(UnusableError):
        decode(harmed)


def test_a_wrong_checksum_of_a_deflate_strip_is_damage() -> None:
    whole = bytearray(saved(IMAGE, "TIFF", compression="tiff_adobe_deflate"))
    image = Pillow.open(io.BytesIO(whole))
    whole[image.tag_v2[273][0] + image.tag_v2[279][0] - 1] ^= 1  # type: ignore[attr-defined]
    with pytest.raises(UnusableError, match="decoder error"):
        decode(bytes(whole))
