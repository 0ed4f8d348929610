"""Photographs of every kind to targets, and the sources they come from."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from blindface.base.errors import InputError
from blindface.base.files import sha256_file
from blindface.base.image_table import read_images, read_metadata, read_table
from blindface.external.finder import Finder
from blindface.params import FetchParams
from blindface.photographs.archive import list_archive
from blindface.photographs.decode import UnusableError, decode, decode_target
from blindface.photographs.sources import make_archive, pack_folder
from blindface.photographs.targets import make_targets


def encode(image: Pillow.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture(width: int = 150, height: int = 150, seed: int = 0) -> Pillow.Image:
    """Smooth colours that differ in every corner, so that JPEG keeps them and a turn shows."""
    corners = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    corners[0, 0] = (255, 0, 0)
    return Pillow.fromarray(corners).resize((width, height), Pillow.Resampling.BILINEAR)


def test_grey_becomes_three_equal_channels() -> None:
    image = decode(encode(picture().convert("L")))
    assert image.shape == (150, 150, 3)
    assert np.array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("kind", ["1", "L", "P", "RGB", "YCbCr"])
def test_every_mode_is_read(kind: str) -> None:
    image = picture().convert(kind)
    got = decode(encode(image, "JPEG" if kind == "YCbCr" else "PNG"))
    assert np.abs(got.astype(int) - np.asarray(image.convert("RGB")).astype(int)).mean() < 3


def test_transparent_parts_are_white_and_half_transparent_ones_half_white() -> None:
    image = np.zeros((80, 80, 4), np.uint8)
    image[..., 3] = np.repeat([0, 255], 40)
    image[0, :, 3] = 51  # one fifth black over white: 204
    got = decode(encode(Pillow.fromarray(image)))
    assert got[1, 0].tolist() == [255, 255, 255]
    assert got[1, 79].tolist() == [0, 0, 0]
    assert got[0, 0].tolist() == [204, 204, 204]


def test_palette_transparency_is_white_too() -> None:
    image = Pillow.new("P", (80, 80), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((5, 5), 1)
    got = decode(encode(image, transparency=0))
    assert got[0, 0].tolist() == [255, 255, 255]
    assert got[5, 5].tolist() == [40, 50, 60]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_range(kind: str) -> None:
    levels = np.tile(np.array([0, 128, 129, 257, 32768, 65535], np.uint16), (80, 20))
    got = decode(encode(Pillow.fromarray(levels), kind))
    # rounded x / 257: 128 is 0.498 and 129 is 0.502 of a level, 32768 is 127.502
    assert got[0, :6, 0].tolist() == [0, 0, 1, 1, 128, 255]


def test_sixteen_bit_colour_keeps_its_range() -> None:
    import cv2

    levels = np.zeros((80, 80, 3), np.uint16)
    levels[..., 0] = 65535  # OpenCV writes blue first
    levels[..., 1] = 32896
    got = decode(cv2.imencode(".png", levels)[1].tobytes())
    assert got[0, 0].tolist() == [0, 128, 255]


def test_cmyk_jpeg_is_not_inverted() -> None:
    image = decode(encode(Pillow.new("RGB", (80, 80), (200, 40, 40)).convert("CMYK"), "JPEG", quality=95))
    assert np.abs(image[40, 40].astype(int) - (200, 40, 40)).max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(orientation: int) -> None:
    upright = picture(90, 60)
    back = {
        2: [Pillow.Transpose.FLIP_LEFT_RIGHT],
        3: [Pillow.Transpose.ROTATE_180],
        4: [Pillow.Transpose.FLIP_TOP_BOTTOM],
        5: [Pillow.Transpose.TRANSPOSE],
        6: [Pillow.Transpose.ROTATE_90],
        7: [Pillow.Transpose.TRANSVERSE],
        8: [Pillow.Transpose.ROTATE_270],
    }
    stored = upright
    for turn in back.get(orientation, []):
        stored = stored.transpose(turn)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    got = decode(encode(stored, "JPEG", quality=95, subsampling=0, exif=exif))
    assert got.shape == (60, 90, 3)
    assert np.abs(got.astype(int) - np.asarray(upright).astype(int)).mean() < 2


def test_broken_exif_does_not_cost_the_photograph() -> None:
    content = encode(picture(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff garbage")
    assert decode(content).shape == (150, 150, 3)


def test_only_the_first_frame_counts() -> None:
    frames = [Pillow.new("RGB", (80, 80), colour) for colour in ("red", "blue")]
    got = decode(encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    assert got[0, 0].tolist() == [255, 0, 0]


BROKEN = {
    "page": (b"<html>not found</html>", "no image format"),
    "empty": (b"", "the file is empty"),
    "truncated jpeg": (encode(picture(), "JPEG")[:-400], "truncated"),
    "truncated png": (encode(picture())[:-300], "truncated|unreadable"),
    "floating point": (encode(Pillow.fromarray(np.zeros((80, 80), np.float32)), "TIFF"), "floating-point"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN)
def test_unusable_photograph_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        decode(content)


def test_image_of_absurd_size_is_refused_before_it_is_decoded() -> None:
    header = encode(Pillow.new("1", (20_000, 6_000)))
    with pytest.raises(UnusableError, match="too large"):
        decode(header)


def test_target_is_the_centred_square() -> None:
    image = np.zeros((100, 141, 3), np.uint8)
    image[:, 20:120] = 255
    target = decode_target(encode(Pillow.fromarray(image)), 128, "area", 64)
    assert (target.width, target.height, target.x, target.y, target.side) == (141, 100, 20, 0, 100)
    assert target.image.min() == 255
    with pytest.raises(UnusableError, match="too small: 141x100"):
        decode_target(encode(Pillow.fromarray(image)), 128, "area", 101)


def write_tar(path: Path, contents: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 good photographs of three kinds in no order, and three bad ones."""
    contents = {f"set/P{n % 7}/P{n % 7}_{n:04d}.jpg": encode(picture(90 + n, 80, n), "JPEG") for n in range(59, -1, -1)}
    contents["set/P1/P1_9001.jpg"] = b"nonsense"
    contents["set/P1/P1_9002.jpg"] = encode(picture(), "JPEG")[:-400]
    contents["set/P2/P2_9003.png"] = encode(picture(30, 30))
    return write_tar(tmp_path_factory.mktemp("mixed") / "a.tgz", contents, "w:gz")


def test_targets_and_skipped_together_are_the_archive(mixed: Path, tmp_path: Path) -> None:
    output, skipped = tmp_path / "targets.parquet", tmp_path / "skipped.csv"
    assert make_targets(mixed, FetchParams(skip_limit=0.1), output, skipped) == 60
    table = read_table(output)
    assert table.id.is_monotonic_increasing
    assert len(table) == 60
    row = table[table.id == "P3/P3_0010"].iloc[0]
    assert (row.person, row.source_width, row.source_height) == ("P3", 100, 80)
    assert (row.crop_x, row.crop_y, row.crop_size) == (10, 0, 80)
    image = read_images(output, "target", ["P3/P3_0010"])[0]
    assert hashlib.sha256(image.tobytes()).hexdigest() == row.sha256
    assert {"opencv", "numpy", "pillow"} <= set(read_metadata(output))
    left = pd.read_csv(skipped)
    assert left.id.tolist() == ["P1/P1_9001", "P1/P1_9002", "P2/P2_9003"]
    assert [reason.partition(":")[0] for reason in left.reason] == ["unreadable", "truncated", "too small"]


def test_bytes_do_not_depend_on_workers_compression_or_order(mixed: Path, tmp_path: Path) -> None:
    with tarfile.open(mixed) as packed:
        contents = {member.name: packed.extractfile(member).read() for member in packed}  # type: ignore[union-attr]
    plain = write_tar(tmp_path / "plain.tar", dict(sorted(contents.items())))
    hashes = set()
    for number, (archive, workers) in enumerate([(mixed, 1), (mixed, 2), (plain, 8)]):
        output = tmp_path / f"{number}.parquet"
        make_targets(archive, FetchParams(skip_limit=0.1), output, tmp_path / "skipped.csv", workers)
        hashes.add(sha256_file(output))
    assert len(hashes) == 1


def test_too_many_unusable_photographs_stop_the_run(mixed: Path, tmp_path: Path) -> None:
    output, skipped = tmp_path / "targets.parquet", tmp_path / "skipped.csv"
    with pytest.raises(InputError, match=r"3 of the 63 photographs .* fetch.skip_limit = 0.04"):
        make_targets(mixed, FetchParams(skip_limit=0.04), output, skipped)
    assert not output.exists()
    assert len(pd.read_csv(skipped)) == 3


def test_no_usable_photograph_is_an_error_at_any_limit(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a", {"set/A.jpg": b"nonsense"})
    with pytest.raises(InputError, match="1 of the 1"):
        make_targets(archive, FetchParams(skip_limit=1.0), tmp_path / "t.parquet", tmp_path / "s.csv")


def make_folder(place: Path) -> Path:
    folder = place / "faces"
    (folder / "b" / "deep").mkdir(parents=True)
    for name in ("z.png", "b/a.JPG", "b/deep/c.webp"):
        picture(80, 80).save(folder / name, {".png": "PNG", ".JPG": "JPEG", ".webp": "WEBP"}[Path(name).suffix])
    (folder / "notes.txt").write_text("not a photograph")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.png").write_bytes(b"x")
    return folder


def test_folder_becomes_the_same_tar_again_and_is_read(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    params = FetchParams(source="folder", folder=str(folder))
    finder = Finder(None, tmp_path / "cache", network=False)
    make_archive(params, tmp_path / "one.tar", finder)
    os.utime(folder / "z.png", (1, 1))
    make_archive(params, tmp_path / "two.tar", finder)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    make_targets(tmp_path / "one.tar", params, tmp_path / "t.parquet", tmp_path / "s.csv")
    table = read_table(tmp_path / "t.parquet")
    assert table[["id", "person"]].to_numpy().tolist() == [["b/a", "b"], ["b/deep/c", "b"], ["z", "z"]]


def test_folder_that_is_missing_or_empty_is_an_error_and_an_ambiguous_name_an_entry(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        pack_folder(tmp_path / "absent", tmp_path / "a.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        pack_folder(tmp_path / "empty", tmp_path / "a.tar")
    folder = make_folder(tmp_path)
    picture(80, 80).save(folder / "z.bmp")
    assert pack_folder(folder, tmp_path / "a.tar") == 3
    (left,) = [entry for entry in list_archive(tmp_path / "a.tar")[1] if not entry.harmless]
    assert left.name == "z.png"
    assert "that of z.bmp" in left.reason


def test_registered_set_is_copied_whole(tmp_path: Path) -> None:
    from blindface.external.registry import Registry

    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "lfw.tgz").write_bytes(b"bytes")
    entry = {"file": "lfw/lfw.tgz", "sha256": hashlib.sha256(b"bytes").hexdigest(), "note": "test"}
    registry = Registry.model_validate({"files": {"lfw": {"purpose": "test", "licence": "none", "forms": [entry]}}})
    make_archive(FetchParams(), tmp_path / "out", Finder(tmp_path / "mirror", tmp_path / "cache", registry, False))
    assert (tmp_path / "out").read_bytes() == b"bytes"


@pytest.mark.mirror
@pytest.mark.slow
def test_all_of_lfw_150_becomes_targets(mirror: Path, tmp_path: Path) -> None:
    archive = Finder(mirror, tmp_path / "cache", network=False).find("lfw-150").path
    count = make_targets(archive, FetchParams(), tmp_path / "t.parquet", tmp_path / "s.csv", workers=2)
    assert count == 13232  # of LFW's 13,233, Betsy_Coffin_0001 is not in this set
    table = read_table(tmp_path / "t.parquet")
    assert table.person.nunique() == 5748
    assert set(table.source_width) == {150}
