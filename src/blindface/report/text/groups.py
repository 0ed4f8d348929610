"""The paper's critical issues in the report: the tables of `reports/subgroups.csv`, and how they are to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from blindface.base.errors import InputError
from blindface.base.files import read_json
from blindface.params import OBJECTIVES
from blindface.report.inputs.material import Material
from blindface.report.inputs.scores import arrow, decimals, interval, label_of, number
from blindface.report.text.table import NOTHING, Cell, Column, Row, Table
from blindface.restoration.methods import BLIND, lead_of, method_of
from blindface.subgroups.kinds import ISSUES

DETAIL = {
    "high_frequency_ratio": "ratio",
    "detail_octaves": "octaves",
    "detail_below_half": "share below ½",
    "detail_above_double": "share above 2",
}


@dataclass(frozen=True)
class Groups:
    """What was measured by group: the tidy table and its notes."""

    table: pd.DataFrame
    notes: dict[str, Any]

    def of(self, kind: dict[str, Any]) -> pd.DataFrame:
        """The rows of one kind."""
        return self._parts.get((kind["issue"], kind["kind"], kind["objective"] or ""), self.table.iloc[:0])

    @cached_property
    def _parts(self) -> dict[Any, pd.DataFrame]:
        return dict(iter(self.table.groupby(["issue", "kind", "objective"], sort=False)))


@dataclass(frozen=True)
class KindSection:
    """One kind of groups: `about` says where the groups come from, `table` is None where there are none."""

    name: str
    title: str
    about: str
    table: Table | None


@dataclass(frozen=True)
class IssueSection:
    """One of the paper's issues with its kinds of groups."""

    issue: str
    title: str
    kinds: tuple[KindSection, ...]


def read_groups(table: Path | None, notes: Path | None) -> Groups | None:
    """The files of `blindface subgroups`; None where one was not given or is missing.

    Errors: InputError for a file that is there but not of this form.
    """
    if table is None or notes is None or not table.exists() or not notes.exists():
        return None
    content = read_json(notes)
    try:
        frame = pd.read_csv(table, dtype={"group": str, "kind": str}, keep_default_na=False, na_values=[""])
        frame["objective"] = frame["objective"].fillna("")
        if missing := {"issue", "group", "method", "metric", "n", "mean", "low", "high", "gain", "small"} - set(frame):
            raise ValueError(f"no column {sorted(missing)[0]}")
        if not isinstance(content, dict) or not {"kinds", "notes", "attributes"} <= set(content):
            raise ValueError("the notes lack their kinds")
    except (ValueError, KeyError, pd.errors.ParserError) as error:
        raise InputError(f"{table} and {notes} are not of blindface subgroups ({error}): make them again") from error
    return Groups(frame, content)


def compared_methods(groups: Groups) -> list[str]:
    """The leading row of each objective, else the first two restoring ones there are; the CSV has all of them."""
    scored = list(dict.fromkeys(groups.table["method"]))
    leads = [lead.name for objective in OBJECTIVES if (lead := lead_of(objective, scored))]
    return leads or [name for name in scored if name not in BLIND.values()][:2]


def compared_metrics(groups: Groups) -> list[str]:
    """PSNR and LPIPS, whichever there are."""
    names = list(dict.fromkeys(groups.table["metric"]))
    return [name for name in names if name == "psnr" or name.startswith("lpips")]


def sections(material: Material, groups: Groups) -> list[IssueSection]:
    """All issues in the paper's order, each kind with its table or the reason why there is none."""
    found = []
    for issue, title in ISSUES.items():
        kinds = [kind for kind in groups.notes["kinds"] if kind["issue"] == issue]
        if issue == "strength":
            parts = _strengths(material, groups, kinds)
        else:
            parts = [_section(material, groups, kind) for kind in kinds]
        found.append(IssueSection(issue, title, tuple(parts)))
    return found


def _section(material: Material, groups: Groups, kind: dict[str, Any]) -> KindSection:
    rows = groups.of(kind)
    if kind["unavailable"] or rows.empty:
        return KindSection(
            kind["kind"], kind["title"], f"n/a: {kind['unavailable'] or 'no image was grouped so'}.", None
        )
    table = detail_table(material, rows) if kind["issue"] == "f" else group_table(material, groups, rows)
    return KindSection(kind["kind"], kind["title"], about(kind), table)


def about(kind: dict[str, Any]) -> str:
    """Where the groups come from, in one sentence."""
    text = f"Source: {kind['source']}; {kind['rule']}." if kind["rule"] else f"Source: {kind['source']}."
    if kind["unlabelled"]:
        text += f" {kind['unlabelled']:,} images have no label and are left out."
    return text


def _strengths(material: Material, groups: Groups, kinds: Sequence[dict[str, Any]]) -> list[KindSection]:
    """One table per objective, its five parameters below each other."""
    found = []
    for objective in dict.fromkeys(kind["objective"] for kind in kinds):
        mine = [kind for kind in kinds if kind["objective"] == objective]
        parts = []
        for kind in mine:
            title = kind["title"].split(",")[0]
            parts.append(groups.of(kind).assign(group=lambda rows, title=title: title + " " + rows["group"]))
        rows = pd.concat(parts)
        title = objective.replace("objective", "Objective ")
        table = group_table(material, groups, rows) if len(rows) else None
        found.append(KindSection(f"strength_{objective}", title, about(mine[0]), table))
    return found


def group_table(material: Material, groups: Groups, rows: pd.DataFrame) -> Table:
    """A row per group: images, people, then each method's metrics and their change from the blind image."""
    whole = groups.table[groups.table["issue"] == "all"]
    methods = [name for name in compared_methods(groups) if (rows["method"] == name).any()]
    rows = pd.concat([whole[whole["method"].isin(methods)], rows])
    columns, cells = [Column("", "images", True), Column("", "people", True)], []
    order = list(dict.fromkeys(rows["group"]))
    counts = rows.drop_duplicates("group").set_index("group")
    for method in methods:
        for metric in compared_metrics(groups):
            here = rows[(rows["method"] == method) & (rows["metric"] == metric)].set_index("group")
            label = f"{label_of(material.scores, metric)} {arrow(better_of(material, metric))}"
            columns.append(Column(method_of(method).label, label, True))
            cells.append(_column(here, order, ("mean", "low", "high")))
            if here["gain"].notna().any():
                columns.append(Column(method_of(method).label, "change", True))
                cells.append(_column(here, order, ("gain", "gain_low", "gain_high"), better_of(material, metric)))
    lines = []
    for place, group in enumerate(order):
        few = bool(counts.loc[group, "small"])
        numbers = [Cell(f"{counts.loc[group, name]:,.0f}") for name in ("n", "people")]
        label = f"{group} (small)" if few else group
        lines.append(Row(label, (*numbers, *(column[place] for column in cells)), few))
    return Table(tuple(columns), tuple(lines), ())


def detail_table(material: Material, rows: pd.DataFrame) -> Table:
    """A row per method: how much of the target's fine detail its images keep."""
    scored = [method for method in material.methods if (rows["method"] == method.name).any()]
    if not scored:
        scored = [method_of(name) for name in dict.fromkeys(rows["method"])]
    names = [method.name for method in scored]
    counts = rows.drop_duplicates("method").set_index("method")["n"]
    columns, cells = [Column("", "images", True)], []
    for metric, label in DETAIL.items():
        here = rows[rows["metric"] == metric].set_index("method")
        columns.append(Column("", label, True))
        cells.append(_column(here, names, ("mean", "low", "high")))
    lines = [
        Row(method.label, (Cell(f"{counts[method.name]:,}"), *(column[place] for column in cells)), False)
        for place, method in enumerate(scored)
    ]
    return Table(tuple(columns), tuple(lines), ())


def better_of(material: Material, metric: str) -> str:
    """In which direction a metric improves."""
    found = [score.metrics[metric].better for score in material.scores.values() if metric in score.metrics]
    return found[0] if found else ("lower" if metric.startswith("lpips") else "higher")


def _column(rows: pd.DataFrame, order: Sequence[str], names: Sequence[str], better: str = "") -> list[Cell]:
    """The cells of a column: `names` are those of the mean and its bounds; `better` makes it one of changes."""
    mean, low, high = names
    places = decimals(rows[mean].dropna().tolist())
    sign = "+" if better else ""
    cells = []
    for name in order:
        if name not in rows.index or pd.isna(rows.loc[name, mean]):
            cells.append(Cell(NOTHING))
            continue
        row = rows.loc[name]
        bounds = None if pd.isna(row[low]) else (float(row[low]), float(row[high]))
        verdict = _verdict(bounds, better) if better and bounds and not row["small"] else ""
        cells.append(Cell(number(float(row[mean]), places, sign), interval(bounds, places, sign), verdict=verdict))
    return cells


def _verdict(bounds: tuple[float, float], better: str) -> str:
    low, high = bounds
    if low <= 0 <= high:
        return "unclear"
    return "better" if (low > 0) == (better == "higher") else "worse"


def groups_text(material: Material, groups: Groups) -> list[str]:
    """The lines of metrics.md."""
    lines = ["", "## By group of images: the paper's critical issues, measured", ""]
    lines += [
        "Mean with its bootstrap 95 % interval; change: the same of the difference to each image's own blind input."
    ]
    lines += [f"Labels: {groups.notes['attributes']['name']}.", ""]
    lines += [f"- {sentence}" for sentence in groups.notes["notes"]]
    lines += [f"- Groups of fewer than {groups.notes['small']} images are marked as small."]
    for section in sections(material, groups):
        letter = f"({section.issue}) " if len(section.issue) == 1 else ""
        lines += ["", f"### {letter}{section.title}"]
        for kind in section.kinds:
            lines += ["", f"**{kind.title}.** {kind.about}"]
            if section.issue == "f":
                lines += ["", groups.notes["equation"]]
            if kind.table is not None:
                lines += ["", kind.table.markdown().rstrip("\n")]
    return lines
