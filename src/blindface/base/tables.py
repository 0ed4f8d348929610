"""Reading the CSV files that people open in other programs, as those programs hand them back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from blindface.base.errors import InputError


def read_rows(path: Path, first: tuple[str, ...], remedy: str) -> list[list[str]]:
    """The rows below the header of a CSV file, every value as text: ids such as 00012 or NA stay what they are.

    first: the columns that the header must have, in this order. Taken is what spreadsheets make of a CSV: a byte order
    mark, UTF-16, semicolons or tabs in place of commas, a line `sep=;`, empty cells at the right and empty lines.
    Errors: InputError with the remedy if the file is missing, is no text, or has another header or row length.
    """
    try:
        content = Path(path).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path} is missing: {remedy}") from None
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        if text[:4].lower() == "sep=":
            text = text.partition("\n")[2]
        line = text.splitlines()[0] if text else ""
        separator = max((",", ";", "\t"), key=line.count)
        read = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        rows = [_without_empty_end(row, len(first)) for row in read if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV file in UTF-8 ({error}): {remedy}") from None
    header = tuple(name.strip() for name in rows[0]) if rows else ()
    if header != first:
        raise InputError(f"{path}: its first line must be '{','.join(first)}', got '{line[:80]}'; {remedy}")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(first):
            raise InputError(f"{path}, line {number}: expected {len(first)} values, got {row}; {remedy}")
    return rows[1:]


def _without_empty_end(row: list[str], width: int) -> list[str]:
    while len(row) > width and not row[-1].strip():
        row.pop()
    return row
