"""Reading small CSV files that another program may have saved: Excel, LibreOffice, Numbers.

They write a byte order mark or UTF-16, semicolons or tabs where a comma is the decimal sign, a line `sep=;`, empty
cells and lines at the end, and quotes. All values stay texts: `00012` and `NA` are names.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path

from blindface.base.errors import InputError

DELIMITERS = (",", ";", "\t")


def read_rows(path: Path, columns: Sequence[str], made_by: str) -> list[dict[str, str]]:
    """The rows of a CSV file with at least these columns, as texts by the column's name.

    made_by: the command that makes the file, for the remedy. Errors: InputError if the file is missing, is no text, has
    not these columns, or a row has another number of cells than the heading.
    """
    text = _decoded(path, made_by)
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep="):
        text = rest
    heading, delimiter = _heading(path, text, columns, made_by)
    rows: list[dict[str, str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    next(reader)
    for cells in reader:
        while len(cells) > len(heading) and not cells[-1].strip():
            cells.pop()
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(heading):
            raise InputError(
                f"{path}, line {reader.line_num}: {len(cells)} values where the first line has {len(heading)} "
                f"({', '.join(heading[:4])}): mend the line, or make the file again with '{made_by}'"
            )
        rows.append(dict(zip(heading, cells, strict=True)))
    return rows


def _decoded(path: Path, made_by: str) -> str:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path} is missing: make it with '{made_by}'") from None
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not in UTF-8: save it as 'CSV UTF-8', or make it again with '{made_by}'") from None


def _heading(path: Path, text: str, columns: Sequence[str], made_by: str) -> tuple[list[str], str]:
    for delimiter in DELIMITERS:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        names = [name.strip() for name in names]
        while names and not names[-1]:
            names.pop()
        if set(columns) <= set(names):
            return names, delimiter
    raise InputError(
        f"{path} is not the file that '{made_by}' makes: its first line must name {', '.join(columns)}; make it again"
    )
