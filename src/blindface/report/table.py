"""The tables of the report: the paper's with ours beside it, and per-image means with their intervals.

A table is built once and rendered twice, as Markdown and (by the template) as HTML. A number that could not be had
reads `n/a` with the number of a note below the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from blindface.report.catalogue import METHODS, PAPER_METRICS, PAPER_VALUES, Method, PaperMetric, method_of
from blindface.report.scores import Metric, Scores, arrow, bounded, decimals, spread

NOTHING = "–"
"""A cell that has no number by its nature: the paper has no such row, or there is nothing to divide by."""


OF_SETS = ("fid", "frechet_", "psnr_batch")
"""Beginnings of the names of metrics that an image by itself does not have."""


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
    """A printed cell; `note` is the number of the note that says why it reads n/a."""

    text: str
    note: int | None = None

    def __str__(self) -> str:
        return self.text if self.note is None else f"{self.text} ({self.note})"


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


def rows_of(scores: Mapping[str, Scores]) -> list[Method]:
    """The methods of the table: the paper's rows and the sequence always, other scored methods after them."""
    known = {method.name for method in METHODS}
    return [*METHODS, *(method_of(name) for name in sorted(scores) if name not in known)]


def find(scores: Mapping[str, Scores], names: Sequence[str], prefixes: Sequence[str] = ()) -> str | None:
    """The first of the named metrics that any method has (numbers before n/a), else the first with such a prefix."""
    present = [name for score in scores.values() for name, metric in score.metrics.items() if metric.value is not None]
    absent = [name for score in scores.values() for name in score.metrics]
    for pool in (present, absent):
        for name in names:
            if name in pool:
                return name
        for name in pool:
            if any(name.startswith(prefix) for prefix in prefixes):
                return name
    return None


def same_protocol(scores: Mapping[str, Scores]) -> Table:
    """Ours beside the paper's for every metric that follows the paper's protocol."""
    columns: list[Column] = []
    fillers: list[Callable[[Method, Notes], Cell]] = []
    for metric in PAPER_METRICS:
        name = find(scores, metric.same, metric.kin)
        if name is not None and name not in metric.same:
            continue
        group = f"{metric.label} {arrow(metric.better)}"
        columns += [Column(group, "ours", True), Column(group, "paper", False)]
        fillers += [_ours(scores, name), _papers(metric)]
    return _fill(scores, columns, fillers)


def other_protocol(scores: Mapping[str, Scores]) -> Table | None:
    """Metrics of another backbone than the paper's, with the ratio to the blind row, all that can be compared."""
    columns: list[Column] = []
    fillers: list[Callable[[Method, Notes], Cell]] = []
    for metric in PAPER_METRICS:
        name = find(scores, metric.same, metric.kin)
        if name is None or name in metric.same:
            continue
        ours = f"{label_of(scores, name)} {arrow(metric.better)}"
        papers = f"{metric.label} {arrow(metric.better)}"
        columns += [Column(ours, "ours", True), Column(ours, "÷ blind", True)]
        columns += [Column(papers, "paper", False), Column(papers, "÷ blind", False)]
        fillers += [_ours(scores, name), _our_ratio(scores, name), _papers(metric), _paper_ratio(metric)]
    return _fill(scores, columns, fillers) if columns else None


def per_image(scores: Mapping[str, Scores]) -> Table | None:
    """Means over images with the 95 % bootstrap interval, for every metric that has a value per image."""
    known: dict[str, Metric] = {}
    for score in scores.values():
        for name, metric in score.metrics.items():
            if metric.image_mean is not None or (metric.unavailable and not name.startswith(OF_SETS)):
                known.setdefault(name, metric)
    if not known:
        return None
    columns = [Column(f"{metric.label} {arrow(metric.better)}", "", True) for metric in known.values()]
    return _fill(scores, columns, [_image_cell(scores, name) for name in known])


def label_of(scores: Mapping[str, Scores], name: str) -> str:
    """A metric's label."""
    return next((score.metrics[name].label for score in scores.values() if name in score.metrics), name)


def _fill(
    scores: Mapping[str, Scores], columns: Sequence[Column], fillers: Sequence[Callable[[Method, Notes], Cell]]
) -> Table:
    notes = Notes()
    rows = [
        Row(method.label, tuple(fill(method, notes) for fill in fillers), method.name == method.blind)
        for method in rows_of(scores)
    ]
    return Table(tuple(columns), tuple(rows), tuple(notes.sentences))


def _look_up(scores: Mapping[str, Scores], method: Method, name: str | None) -> Metric | str:
    """The metric, or the sentence that says why there is no number."""
    if method.name not in scores:
        return f"No scores of '{method.name}' were given."
    metric = scores[method.name].metrics.get(name) if name else None
    if metric is None:
        return f"The scores of '{method.name}' hold no {name or 'such metric'}."
    return metric


def _unavailable(reason: str | None, notes: Notes) -> Cell:
    return Cell("n/a", notes.number((reason or "No number was written").rstrip(".") + "."))


def _ours(scores: Mapping[str, Scores], name: str | None) -> Callable[[Method, Notes], Cell]:
    column = [score.metrics[name].value for score in scores.values() if name and name in score.metrics]
    places = decimals(column)

    def cell(method: Method, notes: Notes) -> Cell:
        metric = _look_up(scores, method, name)
        if isinstance(metric, str):
            return _unavailable(metric, notes)
        if metric.value is None:
            return _unavailable(metric.unavailable, notes)
        return Cell(spread(metric.value, metric.batch_std, places))

    return cell


def _papers(metric: PaperMetric) -> Callable[[Method, Notes], Cell]:
    def cell(method: Method, notes: Notes) -> Cell:
        values = PAPER_VALUES.get(method.name)
        return Cell(values[metric.name].text if values else NOTHING)

    return cell


def _our_ratio(scores: Mapping[str, Scores], name: str) -> Callable[[Method, Notes], Cell]:
    def cell(method: Method, notes: Notes) -> Cell:
        if method.blind is None or method.name == method.blind:
            return Cell(NOTHING)
        own = _look_up(scores, method, name)
        base = _look_up(scores, method_of(method.blind), name)
        if isinstance(own, str) or isinstance(base, str) or own.value is None or not base.value:
            return Cell(NOTHING)
        return Cell(f"{own.value / base.value:.2f}")

    return cell


def _paper_ratio(metric: PaperMetric) -> Callable[[Method, Notes], Cell]:
    def cell(method: Method, notes: Notes) -> Cell:
        values = PAPER_VALUES.get(method.name)
        if values is None or method.blind is None or method.name == method.blind:
            return Cell(NOTHING)
        return Cell(f"{values[metric.name].mean / PAPER_VALUES[method.blind][metric.name].mean:.2f}")

    return cell


def _image_mean(score: Scores, name: str) -> float | None:
    return score.metrics[name].image_mean if name in score.metrics else None


def _image_cell(scores: Mapping[str, Scores], name: str) -> Callable[[Method, Notes], Cell]:
    places = decimals([_image_mean(score, name) for score in scores.values()])

    def cell(method: Method, notes: Notes) -> Cell:
        metric = _look_up(scores, method, name)
        if isinstance(metric, str):
            return _unavailable(metric, notes)
        if metric.image_mean is None:
            return _unavailable(metric.unavailable, notes)
        return Cell(bounded(metric.image_mean, metric.interval, places))

    return cell
