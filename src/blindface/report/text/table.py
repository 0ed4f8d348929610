"""A table of numbers with notes, built once and rendered twice: as Markdown here, as HTML by the template.

`blindface.report.text.results` fills the report's tables. A number that could not be had reads `n/a` with the number of
a note below the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

NOTHING = "–"
"""A cell that has no number by its nature: the paper has no such row, or there is nothing to divide by."""

MARKS = {"better": "✓", "worse": "✗", "unclear": "≈"}
"""The sign before a difference, by its verdict: readable without colour."""


@dataclass
class Notes:
    """Numbered notes below a table; the same sentence gets the same number."""

    sentences: list[str] = field(default_factory=list)

    def number(self, sentence: str) -> int:
        """The note's number, counted from 1."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)
        return self.sentences.index(sentence) + 1


@dataclass(frozen=True)
class Cell:
    """A printed number and its smaller detail, a deviation or an interval.

    `note` is the number of the note that says why it reads n/a, `verdict` a key of `MARKS`, and `best` marks the best
    method on the same inputs.
    """

    text: str
    detail: str = ""
    note: int | None = None
    verdict: str = ""
    best: bool = False

    @property
    def mark(self) -> str:
        """The verdict's sign, or nothing."""
        return MARKS.get(self.verdict, "")

    def __str__(self) -> str:
        text = f"**{self.text}**" if self.best else self.text
        note = f"({self.note})" if self.note is not None else ""
        return " ".join(part for part in (self.mark, text, self.detail, note) if part)


@dataclass(frozen=True)
class Column:
    """`group` is the metric, `name` what stands in this column of it; `ours` columns are set off in the page."""

    group: str
    name: str
    ours: bool


@dataclass(frozen=True)
class Row:
    """A method and its cells, one per column."""

    label: str
    cells: tuple[Cell, ...]
    blind: bool


@dataclass(frozen=True)
class Table:
    """A table with its notes."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Metrics in order with the number of their columns."""
        result: list[tuple[str, int]] = []
        for column in self.columns:
            if result and result[-1][0] == column.group:
                result[-1] = (column.group, result[-1][1] + 1)
            else:
                result.append((column.group, 1))
        return result

    @property
    def starts(self) -> list[bool]:
        """True for the first column of each metric."""
        return [
            place == 0 or column.group != self.columns[place - 1].group for place, column in enumerate(self.columns)
        ]

    def markdown(self) -> str:
        """The table in Markdown, cells padded so that it reads well as plain text too, notes below it."""
        header = ["", *(f"{column.group} {column.name}".strip() for column in self.columns)]
        body = [[row.label, *(str(cell) for cell in row.cells)] for row in self.rows]
        widths = [max(len(line[place]) for line in [header, *body]) for place in range(len(header))]
        lines = [_line(header, widths), "|" + "|".join(_rule(place, width) for place, width in enumerate(widths)) + "|"]
        lines += [_line(line, widths) for line in body]
        if self.notes:
            lines += ["", *(f"({number}) {sentence}" + "  " for number, sentence in enumerate(self.notes, 1))]
        return "\n".join(lines) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cells[0].ljust(widths[0]),
        *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)),
    ]
    return "| " + " | ".join(padded) + " |"


def _rule(place: int, width: int) -> str:
    return "-" * (width + 2) if place == 0 else "-" * (width + 1) + ":"
