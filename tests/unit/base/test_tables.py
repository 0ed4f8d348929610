"""Tables as other programs hand them back."""

from __future__ import annotations

from pathlib import Path

import pytest

from blindface.base.errors import InputError
from blindface.base.tables import read_rows
from blindface.split import read_part, read_split

IDS = ["00000", "NA", "1e5", "null", "Ann/é, Zoë"]
ROWS = [[name, "train" if place else "test"] for place, name in enumerate(IDS)]


def text(separator: str, end: str) -> str:
    quoted = [[f'"{name}"' if separator in name else name, part] for name, part in [["id", "part"], *ROWS]]
    return "".join(separator.join(row) + end for row in quoted)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_write_is_read_as_it_was(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(text(separator, end).encode(encoding))
    assert list(read_split(path).items()) == [tuple(row) for row in ROWS]
    assert read_part(path, "train") == sorted(IDS[1:])


@pytest.mark.parametrize("content", [b"", b"name,part\n", b"id,part\n1,train,more\n", b"\xff\xfe\x00", b"\x80\x81"])
def test_anything_else_is_an_error_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="make it again"):
        read_rows(path, ("id", "part"), "make it again")
    with pytest.raises(InputError, match="is missing: make it again"):
        read_rows(tmp_path / "absent", ("id", "part"), "make it again")


def test_a_told_separator_and_empty_cells_and_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("sep=;\n" + text(";", ";;\n") + ";;;\n\n", "utf-8-sig")
    # the byte order mark stands before "sep=;" as Excel writes it
    assert list(read_split(path).items()) == [tuple(row) for row in ROWS]
