"""A folder as people have them: links, litter, names and kinds of files. Nothing vanishes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blindface.base.errors import InputError
from blindface.photographs import folder as folders
from blindface.photographs.folder import folder_state, list_folder
from tests.unit.photographs.test_targets import encode, picture

JPEG = encode(picture(80, 80), "JPEG")


def fill(folder: Path, *names: str, content: bytes = JPEG) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def kinds(folder: Path) -> dict[str, str]:
    return {entry.name: entry.reason.partition(":")[0] for entry in list_folder(folder).left_out}


def test_links_are_followed_and_what_is_reached_twice_counts_once(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", "Ann/1.jpg")
    fill(tmp_path / "store", "b1.jpg", "b2.jpg")
    (photos / "Bob").symlink_to(tmp_path / "store")
    (photos / "Ann" / "up").symlink_to(photos)
    (photos / "Aaa").symlink_to(photos / "Ann")
    (photos / "again.jpg").symlink_to(photos / "Ann" / "1.jpg")
    listing = list_folder(photos)
    assert listing.names == ["Ann/1.jpg", "Bob/b1.jpg", "Bob/b2.jpg"]
    assert kinds(photos) == {"Aaa/": "duplicate", "Ann/up/": "duplicate", "again.jpg": "duplicate"}


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    fill(tmp_path, "AJ_Cook_0001", "a.jfif", "b.HEIC", "c.cr2", "d.dat", "v1.5", "v1.6")
    fill(tmp_path, "notes.txt", "table.csv", content=b"id,part\n" * 20)
    fill(tmp_path, "page.jpg", content=b"<html>")
    listing = list_folder(tmp_path)
    assert listing.names == ["AJ_Cook_0001", "a.jfif", "b.HEIC", "c.cr2", "d.dat", "page.jpg", "v1.5", "v1.6"]
    assert kinds(tmp_path) == {"notes.txt": "no photograph", "table.csv": "no photograph"}


def test_litter_is_left_out_by_name(tmp_path: Path) -> None:
    fill(tmp_path, "Ann/1.jpg", "Ann/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "__MACOSX/Ann/._1.jpg", "Ann/.DS_Store")
    fill(tmp_path, "Ann/Thumbs.db", "roll Previews.lrdata/x.jpg", ".hidden/y.jpg", "Ann/1.xmp")
    assert list_folder(tmp_path).names == ["Ann/1.jpg"]
    assert set(kinds(tmp_path).values()) == {"litter"}
    assert len(kinds(tmp_path)) == 7


def test_names_are_kept_unless_they_cannot_be_ids(tmp_path: Path) -> None:
    good = [
        "10\u202fpm.jpg",
        "no\u00a0break.jpg",
        "family\U0001f468\u200d\U0001f469.jpg",
        "NA.jpg",
        "00000.png",
        "e\u0301.jpg",
    ]
    fill(tmp_path, *good, "line\nbreak.jpg")
    fill(tmp_path, "\u00e9.png")
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(JPEG)
    assert list_folder(tmp_path).names == sorted(good)
    left = [entry.reason for entry in list_folder(tmp_path).left_out]
    assert sum("no UTF-8" in reason for reason in left) == 1
    assert sum("control character" in reason for reason in left) == 1
    assert sum("that of e\u0301.jpg" in reason for reason in left) == 1
    assert len(left) == 3
    assert folder_state(tmp_path)


def test_a_folder_that_cannot_be_listed_is_an_entry_and_the_given_one_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "Ann/1.jpg", "Bob/2.jpg")
    real = os.scandir

    def scandir(place: Path) -> object:
        if Path(place).name == refused:
            raise PermissionError(13, "Permission denied")
        return real(place)

    monkeypatch.setattr(folders.os, "scandir", scandir)
    refused = "Bob"
    assert list_folder(tmp_path).names == ["Ann/1.jpg"]
    assert kinds(tmp_path) == {"Bob/": "unreadable"}
    refused = tmp_path.name
    with pytest.raises(InputError, match=r"cannot be listed \(Permission denied\)"):
        list_folder(tmp_path)


def test_the_state_sees_what_the_packing_sees(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", "Ann/1.jpg")
    store = fill(tmp_path / "store", "b")
    (photos / "Bob").symlink_to(store)
    before = folder_state(photos)
    fill(photos, "Ann/.DS_Store", "Ann/notes.txt", content=b"notes")
    assert folder_state(photos) == before
    fill(store, "c")
    assert folder_state(photos) != before
