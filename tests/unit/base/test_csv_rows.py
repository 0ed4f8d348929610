"""CSV files as other programs save them."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from blindface.base.csv_rows import read_rows
from blindface.base.errors import InputError

ROWS = [("00000", "train"), ("NA", "test"), ("Zoë/Zoë, 1", "validation"), ("1e5", "train")]
PLAIN = 'id,part\n00000,train\nNA,test\n"Zoë/Zoë, 1",validation\n1e5,train\n'
SEMICOLONS = PLAIN.replace('"', "").replace(",", ";").replace("; 1", ", 1")
SAVED = {
    "ours": PLAIN.encode(),
    "Excel, CSV UTF-8": codecs.BOM_UTF8 + PLAIN.replace("\n", "\r\n").encode(),
    "Excel with a decimal comma": codecs.BOM_UTF8 + SEMICOLONS.replace("\n", "\r\n").encode(),
    "Excel, Unicode text": codecs.BOM_UTF16_LE
    + SEMICOLONS.replace(";", "\t").replace("\n", "\r\n").encode("utf-16-le"),
    "the separator told": ("sep=;\r\n" + SEMICOLONS).encode(),
    "every value in quotes": "\n".join(f'"{i}","{p}"' for i, p in [("id", "part"), ROWS[0], *ROWS[1:]]).encode(),
    "empty cells and lines": (SEMICOLONS.replace("\n", ";;\n") + ";;;\n\n").encode(),
    "another column": PLAIN.replace("\n", ",x\n").encode(),
}


@pytest.mark.parametrize("kind", SAVED)
def test_ids_are_the_same_texts_whatever_saved_the_table(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(SAVED[kind])
    assert [(row["id"], row["part"]) for row in read_rows(path, ("id", "part"), "blindface split")] == ROWS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"is missing: make it with 'blindface split'"),
        (b"", "first line must name id, part"),
        (b"name,part\na,train\n", "first line must name id, part"),
        (b"id,part\nZo\xeb,train\n", "is not in UTF-8: save it as 'CSV UTF-8'"),
        (b"id,part\na,train\nb\n", "line 3: 1 values where the first line has 2"),
    ],
)
def test_what_cannot_be_read_is_said_with_a_remedy(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "split.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_rows(path, ("id", "part"), "blindface split")
