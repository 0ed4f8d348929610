"""The report's tables of results: beside the paper, other backbones, per image, and paired differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from blindface.evaluation.paper import PAPER_METRICS, PAPER_VALUES, PaperMetric
from blindface.report.inputs.material import Material
from blindface.report.inputs.scores import (
    Metric,
    Scores,
    arrow,
    decimals,
    deviation,
    find,
    interval,
    label_of,
    number,
)
from blindface.report.text.differences import Difference
from blindface.report.text.table import NOTHING, Cell, Column, Notes, Row, Table
from blindface.restoration.methods import Method, method_of

OF_SETS = ("fid", "frechet_", "kid", "kernel_", "precision_", "recall_", "psnr_batch")
"""Beginnings of the names of metrics that an image by itself does not have."""

Filler = Callable[[Method, Notes], Cell]


@dataclass(frozen=True)
class Reading:
    """How a metric is read: its number, and the detail printed after it with so many decimals."""

    value: Callable[[Metric], float | None]
    detail: Callable[[Metric, int], str]


OVER_BATCHES = Reading(
    lambda metric: metric.value,
    # a Fréchet distance has no deviation over batches, but an interval of its own
    lambda metric, places: deviation(metric.batch_std, places) or _interval_of_set(metric, places),
)
OVER_IMAGES = Reading(lambda metric: metric.image_mean, lambda metric, places: interval(metric.interval, places))


def _interval_of_set(metric: Metric, places: int) -> str:
    return interval(metric.interval, places) if metric.image_mean is None else ""


def same_protocol(material: Material) -> Table:
    """Ours beside the paper's for every metric that follows the paper's protocol."""
    scores, columns = material.scores, list[Column]()
    fillers: list[Filler] = []
    for metric in PAPER_METRICS:
        name = find(scores, metric.same, metric.kin)
        if name is not None and name not in metric.same:
            continue
        group = f"{metric.label} {arrow(metric.better)}"
        columns += [Column(group, "ours", True), Column(group, "paper", False)]
        fillers += [_ours(material, name, OVER_BATCHES), _papers(metric)]
    return _fill(material, columns, fillers)


def other_protocol(material: Material) -> Table | None:
    """Metrics of another backbone than the paper's, with the ratio to the blind row, all that can be compared."""
    scores, columns = material.scores, list[Column]()
    fillers: list[Filler] = []
    for metric in PAPER_METRICS:
        name = find(scores, metric.same, metric.kin)
        if name is None or name in metric.same:
            continue
        ours = f"{label_of(scores, name)} {arrow(metric.better)}"
        papers = f"{metric.label} {arrow(metric.better)}"
        columns += [Column(ours, "ours", True), Column(ours, "÷ blind", True)]
        columns += [Column(papers, "paper", False), Column(papers, "÷ blind", False)]
        fillers += [
            _ours(material, name, OVER_BATCHES),
            _our_ratio(scores, name),
            _papers(metric),
            _paper_ratio(metric),
        ]
    return _fill(material, columns, fillers) if columns else None


def per_image(material: Material) -> Table | None:
    """Means over images with the 95 % bootstrap interval, for every metric that has a value per image."""
    scores, known = material.scores, dict[str, Metric]()
    for score in scores.values():
        for name, metric in score.metrics.items():
            if metric.image_mean is not None or (metric.unavailable and not name.startswith(OF_SETS)):
                known.setdefault(name, metric)
    if not known:
        return None
    columns = [Column(f"{metric.label} {arrow(metric.better)}", "", True) for metric in known.values()]
    return _fill(material, columns, [_ours(material, name, OVER_IMAGES) for name in known])


def of_sets(material: Material) -> Table | None:
    """What all features together say: distances between the sets, precision and recall, each with its interval."""
    known = {
        name: metric
        for score in material.scores.values()
        for name, metric in score.metrics.items()
        if name.startswith(OF_SETS) and name != "psnr_batch"
    }
    if not known:
        return None
    columns = [Column(f"{metric.label} {arrow(metric.better)}", "", True) for metric in known.values()]
    return _fill(material, columns, [_ours(material, name, OVER_BATCHES) for name in known])


def difference_table(differences: Sequence[Difference]) -> Table | None:
    """A row per pair of methods, a column per metric: the mean difference of the same images with its interval."""
    found = {(entry.method, entry.base, entry.metric): entry for entry in differences}
    names = dict.fromkeys(entry.metric for entry in differences)
    heads = {entry.metric: f"{entry.label} {arrow(entry.better)}" for entry in differences}
    places = {name: decimals(entry.mean for entry in differences if entry.metric == name) for name in names}
    rows = []
    for method, base in dict.fromkeys((entry.method, entry.base) for entry in differences):
        cells = [_difference(found.get((method, base, name)), places[name]) for name in names]
        rows.append(Row(f"{method_of(method).label} − {method_of(base).label}", tuple(cells), False))
    columns = tuple(Column(heads[name], "", True) for name in names)
    return Table(columns, tuple(rows), ()) if rows else None


def memorisation_table(material: Material) -> Table | None:
    """A row per model's row: how near its test faces are to the training faces, beside the originals."""
    found = material.memorisation.get("methods", {})
    if not found:
        return None
    columns = [
        *(Column("nearest training face", name, True) for name in ("restored", "original", "difference ↓")),
        Column("own original", "restored", True),
        Column("nearer to a training face", "share ↓", True),
    ]
    rows = []
    for method in material.rows(found):
        values = found[method.name]
        cells = [Cell(number(values[name], 3)) for name in ("restored", "target")]
        cells.append(Cell(number(values["excess"], 3, "+"), interval(values["interval"], 3, "+")))
        cells += [Cell(number(values["own"], 3)), Cell(f"{100 * values['recalled']:.1f} %")]
        rows.append(Row(method.label, tuple(cells), False))
    return Table(tuple(columns), tuple(rows), ())


def _difference(entry: Difference | None, places: int) -> Cell:
    if entry is None:
        return Cell(NOTHING)
    detail = _joined(interval(entry.interval, places, "+"), entry.of_images)
    return Cell(number(entry.mean, places, "+"), detail, verdict=entry.verdict)


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _fill(material: Material, columns: Sequence[Column], fillers: Sequence[Filler]) -> Table:
    notes = Notes()
    rows = [
        Row(method.label, tuple(fill(method, notes) for fill in fillers), not method.restores)
        for method in material.methods
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


def _ours(material: Material, name: str | None, reading: Reading) -> Filler:
    scores = material.scores
    metrics = {method: score.metrics[name] for method, score in scores.items() if name and name in score.metrics}
    column = {method: reading.value(metric) for method, metric in metrics.items()}
    places = decimals(column.values())
    # a mean of some images only is no rival of means of all of them
    whole = {method: value for method, value in column.items() if not metrics[method].partial}
    best = _best(material.methods, whole, next((metric.better for metric in metrics.values()), "higher"))

    def cell(method: Method, notes: Notes) -> Cell:
        metric = _look_up(scores, method, name)
        value = None if isinstance(metric, str) else reading.value(metric)
        if isinstance(metric, str) or value is None:
            reason = metric if isinstance(metric, str) else metric.unavailable
            return Cell("n/a", note=notes.number((reason or "No number was written").rstrip(".") + "."))
        detail = _joined(reading.detail(metric, places), metric.of_images)
        return Cell(number(value, places), detail, best=method.name in best)

    return cell


def _best(methods: Sequence[Method], column: Mapping[str, float | None], better: str) -> set[str]:
    """The best of the methods that saw the same inputs, where two or more of them have a number."""
    inputs: dict[str, dict[str, float]] = {}
    for method in methods:
        value = column.get(method.name)
        if method.blind is not None and value is not None:
            inputs.setdefault(method.blind, {})[method.name] = value
    choose = max if better == "higher" else min
    return {choose(values, key=values.__getitem__) for values in inputs.values() if len(values) > 1}


def _papers(metric: PaperMetric) -> Filler:
    def cell(method: Method, notes: Notes) -> Cell:
        values = PAPER_VALUES.get(method.name)
        return Cell(*values[metric.name].parts) if values else Cell(NOTHING)

    return cell


def _our_ratio(scores: Mapping[str, Scores], name: str) -> Filler:
    def cell(method: Method, notes: Notes) -> Cell:
        if method.blind is None or not method.restores:
            return Cell(NOTHING)
        own = _look_up(scores, method, name)
        base = _look_up(scores, method_of(method.blind), name)
        if isinstance(own, str) or isinstance(base, str) or own.value is None or not base.value:
            return Cell(NOTHING)
        return Cell(f"{own.value / base.value:.2f}")

    return cell


def _paper_ratio(metric: PaperMetric) -> Filler:
    def cell(method: Method, notes: Notes) -> Cell:
        values = PAPER_VALUES.get(method.name)
        if values is None or method.blind is None or not method.restores:
            return Cell(NOTHING)
        return Cell(f"{values[metric.name].mean / PAPER_VALUES[method.blind][metric.name].mean:.2f}")

    return cell
