"""Archives from anywhere: what is refused, what is listed."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from blindface.base.errors import InputError
from blindface.params import FetchParams
from blindface.photographs import archive as archives
from blindface.photographs.archive import LeftOut, list_archive, list_photographs, open_tar, read_member
from blindface.photographs.targets import make_targets

GOOD = [("set/A/A_0001.jpg", b"one"), ("set/A/A_0002.jpg", b"two")]


def tar(path: Path, members: list[tuple[str, bytes | None]], mode: str = "w", **fields: object) -> Path:
    """A tar of plain files; `fields` are set on the last member."""
    with tarfile.open(path, mode) as packed:
        for place, (name, content) in enumerate(members):
            member = tarfile.TarInfo(name)
            member.size = len(content or b"")
            for key, value in fields.items() if place == len(members) - 1 else ():
                setattr(member, key, value)
            packed.addfile(member, io.BytesIO(content or b""))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_photographs_are_listed_in_order_with_the_place_of_their_bytes(tmp_path: Path, mode: str) -> None:
    members = [*reversed(GOOD), ("set/landmarks.csv", b"x"), ("set/A/._A_0001.jpg", b"x"), ("set/B.PNG", b"three")]
    path = tar(tmp_path / "a", members, mode)
    found = list_photographs(path)
    assert [(photograph.id, photograph.person()) for photograph in found] == [
        ("A/A_0001", "A"),
        ("A/A_0002", "A"),
        ("B", "B"),
    ]
    with open_tar(path) as plain:
        plain.seek(found[1].offset)
        assert plain.read(found[1].size) == b"two"
    assert read_member(path, "set/landmarks.csv") == b"x"
    assert list(tmp_path.iterdir()) == [path]


HOSTILE = {
    "absolute": ("/etc/a.jpg", {}, "leaves the folder"),
    "parent": ("set/../../a.jpg", {}, "leaves the folder"),
    "drive": ("C:/a.jpg", {}, "leaves the folder"),
    "backslash": ("set\\..\\a.jpg", {}, "leaves the folder"),
    "symbolic link": ("set/A/a.jpg", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0}, "is a link"),
    "hard link": ("set/A/a.jpg", {"type": tarfile.LNKTYPE, "linkname": GOOD[0][0], "size": 0}, "is a link"),
    "device": ("set/A/a.jpg", {"type": tarfile.CHRTYPE, "size": 0}, "neither a plain file"),
    "pipe": ("set/A/a.jpg", {"type": tarfile.FIFOTYPE, "size": 0}, "neither a plain file"),
    "duplicate": (GOOD[0][0], {}, "stands in it twice"),
    "duplicate by another spelling": ("./set//A/A_0001.jpg", {}, "stands in it twice"),
}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize(("name", "fields", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_member_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, fields: dict[str, object], reason: str, mode: str
) -> None:
    path = tar(tmp_path / "a", [*GOOD, (name, b"abc")], mode, **fields)
    with pytest.raises(InputError, match=reason):
        make_targets(path, FetchParams(), tmp_path / "targets.parquet", tmp_path / "skipped.csv")
    assert list(tmp_path.iterdir()) == [path]


def forged(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header that claims a size which does not follow."""
    member = tarfile.TarInfo("set/A/huge.jpg")
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_absurd_size_is_refused(tmp_path: Path, pack: type[bytes]) -> None:
    path = tmp_path / "a"
    path.write_bytes(pack(forged(10**12)))
    with pytest.raises(InputError, match="absurd size"):
        list_photographs(path)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_absurd_header_is_refused_without_being_read(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(forged(10**12, kind))
    with pytest.raises(InputError, match="a header asks for"):
        list_photographs(path)


def test_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 2 << 20)
    path = tar(tmp_path / "a", [(f"set/A/{place}.jpg", bytes(1 << 20)) for place in range(8)], "w:gz")
    with pytest.raises(InputError, match="absurd for an archive of"):
        list_photographs(path)


def test_absurd_count_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_COUNT", 1)
    with pytest.raises(InputError, match="more than any set"):
        list_photographs(tar(tmp_path / "a", GOOD))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_cut_off_archive_is_refused(tmp_path: Path, mode: str) -> None:
    path = tar(tmp_path / "a", [(f"set/A/{place}.jpg", bytes([place]) * 9000) for place in range(9)], mode)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="no whole tar archive"):
        list_photographs(path)


def test_web_page_in_place_of_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("<html>" * 1000)
    with pytest.raises(InputError, match="no whole tar archive"):
        list_photographs(path)


def test_archive_without_photographs_or_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no photographs"):
        list_photographs(tar(tmp_path / "a", [("set/readme.txt", b"x")]))
    with pytest.raises(InputError, match="is missing"):
        list_photographs(tmp_path / "absent")


def test_all_dangerous_members_are_named_at_once(tmp_path: Path) -> None:
    path = tar(tmp_path / "a", [("/etc/a.jpg", b"a"), *GOOD, ("set/../../b.jpg", b"b")])
    with pytest.raises(InputError, match=r"'/etc/a.jpg' .*; 'set/../../b.jpg' .*leaves the folder"):
        list_archive(path)


def test_one_odd_member_does_not_refuse_the_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 1 << 20)
    names = ["set/A/narrow\u202fspace.jpg", "set/A/no\u00a0break.jpg", "set/A/joined\u200d.jpg"]
    odd = [("set/A/line\nbreak.jpg", b"x"), ("set/A/A_0001.png", b"x"), ("set/A/scan.tif", bytes(2 << 20))]
    litter = [("set/A/@eaDir/A_0001.jpg/SYNOPHOTO_THUMB_S.jpg", b"x"), ("__MACOSX/A/._A_0001.jpg", b"x")]
    path = tar(tmp_path / "a", [*GOOD, *((name, b"\xff\xd8\xff") for name in names), *odd, *litter])
    found, left_out = list_archive(path)
    assert {entry.id for entry in found} == {"A/A_0001", "A/A_0002", *(name[4:-4] for name in names)}
    kinds = {entry.name: entry.reason.partition(":")[0] for entry in left_out}
    assert kinds == {
        "set/A/line\\nbreak.jpg": "unusable",
        "set/A/A_0001.png": "unusable",
        "set/A/scan.tif": "too large",
        **{name: "litter" for name, _ in litter},
    }
    assert sum(not entry.harmless for entry in left_out) == 3
    assert not LeftOut("x", "truncated: y").harmless


@pytest.mark.parametrize(
    ("level", "person"), [(1, "Ann"), (2, "Ann/video"), (None, "Ann/video/shot"), (9, "Ann/video/shot")]
)
def test_the_person_is_the_folder_of_the_level_asked_for(level: int | None, person: str) -> None:
    assert archives.Photograph("Ann/video/shot/0001", 0, 1).person(level) == person
    assert archives.Photograph("alone", 0, 1).person(level) == "alone"
