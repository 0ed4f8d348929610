"""The paper's critical issues in the report: tables, charts, and what is said of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from blindface.base.errors import InputError
from blindface.report.figures.group_charts import NAMES, draw_panel, issue_figure, panels_of
from blindface.report.figures.style import PALETTE, colour, panels, rc
from blindface.report.inputs.material import Material, gather
from blindface.report.page.groups import group_context
from blindface.report.text.groups import Groups, IssueSection, groups_text, read_groups, sections
from tests.unit.report.inputs import write_inputs


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Material:
    return gather(write_inputs(tmp_path_factory.mktemp("inputs"), 24, 3, labels=True))


@pytest.fixture(scope="module")
def groups(material) -> Groups:
    found = read_groups(material.sources.subgroups, material.sources.groups)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def issues(material, groups) -> list[IssueSection]:
    return sections(material, groups)


def kind_of(issues: list[IssueSection], name: str):
    return next(kind for section in issues for kind in section.kinds if kind.name == name)


def test_every_issue_has_its_section_in_the_papers_order(issues):
    found = issues
    assert [section.issue for section in found] == ["a", "b", "c", "d", "e", "f", "strength"]
    assert all(section.kinds for section in found)


def test_every_table_says_where_its_groups_come_from(issues):
    for section in issues:
        for kind in section.kinds:
            assert kind.about.startswith("n/a: " if kind.table is None else "Source: "), kind
    for name in ("ethnic_group", "gender", "hat", "eyewear", "smile", "expression"):
        assert "not the official LFW attributes" in kind_of(issues, name).about


def test_a_group_has_its_count_its_mean_and_its_change(groups, issues):
    table = kind_of(issues, "gender").table
    assert [row.label for row in table.rows] == ["all images", "gender 0", "gender 1"]
    row = groups.table[
        (groups.table["kind"] == "gender")
        & (groups.table["group"] == "gender 1")
        & (groups.table["method"] == "progressive1")
        & (groups.table["metric"] == "psnr")
    ].iloc[0]
    cells = table.rows[2].cells
    assert cells[0].text == "12"
    assert (cells[2].text, cells[2].detail) == (f"{row['mean']:.2f}", f"[{row['low']:.2f}, {row['high']:.2f}]")
    assert cells[3].text.replace("−", "-") == f"{row['gain']:+.2f}"
    assert (cells[3].verdict, cells[5].verdict) == ("better", "better")  # PSNR up, LPIPS down


def test_small_groups_are_marked_in_table_and_chart(material, groups, issues):
    table = kind_of(issues, "hat").table  # six groups of four, and small is below five
    assert [row.label for row in table.rows[1:]] == [f"hat {number} (small)" for number in range(6)]
    assert not table.rows[0].blind
    assert table.rows[0].cells[3].verdict == "better"
    assert table.rows[1].cells[3].verdict == ""  # too few images to judge by
    with rc():
        for name, face in (("hat-psnr", PALETTE["paper"]), ("gender-psnr", colour("progressive1"))):
            panel = next(p for issue in "ce" for p in panels_of(material, groups, issue) if p.name == name)
            _, (axes,) = panels(1, 1, panel.size, (2, 0.2, 0.3, 0.3))
            draw_panel(axes, panel)
            points = [line for line in axes.lines if line.get_marker() == "o"]
            assert points[0].get_markerfacecolor() == face


def test_a_chart_shows_the_mean_its_interval_and_the_blind_mean(material, groups):
    panel = next(panel for panel in panels_of(material, groups, "a") if panel.name == "faces-psnr")
    with rc():
        _, (axes,) = panels(1, 1, panel.size, (2, 0.2, 0.3, 0.3))
        draw_panel(axes, panel)
    row = panel.rows[(panel.rows["method"] == "progressive1") & (panel.rows["group"] == "2 faces")].iloc[0]
    places = {line.get_marker(): [] for line in axes.lines}
    for line in axes.lines:
        places[line.get_marker()].append(tuple(line.get_xdata()))
    assert (row["mean"],) in places["o"]
    assert (row["low"], row["high"]) in places["None"]
    assert any(x[0] == pytest.approx(row["mean"] - row["gain"]) for x in places["|"])
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "1 face  (8)",
        "2 faces  (8)",
        "3 or more faces  (8)",
    ]


def test_detail_is_a_row_per_method(issues):
    table = kind_of(issues, "detail").table
    assert [row.label for row in table.rows] == [
        "blind 16×16",
        "progressive 1",
        "sequence: 1, then 2",
        "blind 128×128",
        "progressive 2",
    ]
    assert [cell.text.split()[0] for cell in table.rows[0].cells] == ["24", "0.100", "−3.32", "1.000", "0.000"]
    assert "energy" in kind_of(issues, "detail").about


def test_strengths_stand_in_one_table_per_objective_with_its_own_method(issues):
    names = [kind.name for kind in issues[-1].kinds]
    assert names == ["strength_objective1", "strength_objective2"]
    table = kind_of(issues, "strength_objective2").table
    assert {column.group for column in table.columns} == {"", "progressive 2"}
    symbols = {re.split(r" [\d.]", row.label)[0] for row in table.rows[1:]}
    assert symbols == {"Blur kernel k", "Blur σ", "Reduced size s", "Noise δ", "JPEG quality q"}


def test_the_text_is_careful(material, groups):
    text = "\n".join(groups_text(material, groups))
    assert "Labels: predicted attributes (Facer and DeepFace), not the official LFW scores." in text
    assert "not facts about persons" in text
    assert "not corrected for multiple comparisons" in text
    assert "**Hands.** n/a: no model behind this file marks a hand before the face." in text
    assert "ratio = Σ|F(w·(Y − mean Y))(f)|²" in text


def test_every_figure_is_drawn_or_says_why_not(material, groups):
    with rc():
        for name in NAMES:
            drawn = issue_figure(material, groups, name.removeprefix("subgroups_"))
            assert any(axes.lines for axes in drawn.axes), name
        empty = issue_figure(material, None, "d")
    assert "no metrics by group were given" in [text.get_text() for text in empty.axes[0].texts]


def test_a_figure_names_the_sources_of_its_groups(material, groups):
    with rc():
        texts = [text.get_text() for text in issue_figure(material, groups, "d").texts]
    assert "Ethnic group: predicted by DeepFace, not the official LFW attributes" in texts
    with rc():
        detail = [text.get_text() for text in issue_figure(material, groups, "f").texts]
    assert detail[-1].startswith("Detail kept, octaves (0 is the target's): restored image and target; energy above")


def test_labels_that_are_missing_leave_a_reason_in_the_figure(material, groups):
    kinds = [
        kind | {"unavailable": "nobody labelled them"} if kind["issue"] == "d" else kind
        for kind in groups.notes["kinds"]
    ]
    bare = Groups(groups.table[groups.table["issue"] != "d"], groups.notes | {"kinds": kinds})
    with rc():
        figure = issue_figure(material, bare, "d")
    assert "n/a: nobody labelled them" in [text.get_text() for text in figure.axes[0].texts]
    assert kind_of(sections(material, bare), "ethnic_group").about == "n/a: nobody labelled them."


def test_the_page_has_a_chart_per_kind_and_metric(material):
    with rc():
        context = group_context(material)
    charts = {section["issue"]: len(section["charts"]) for section in context["sections"]}
    # faces; yaw, pitch, mouth, smile, labelled mouth, expression; eyewear, hat; ethnic group; two genders: twice each
    assert charts == {"a": 2, "b": 12, "c": 4, "d": 2, "e": 4, "f": 2, "strength": 0}


def test_without_the_files_the_report_says_what_is_missing(material):
    sources = replace(material.sources, subgroups=None)
    assert read_groups(sources.subgroups, sources.groups) is None
    assert any("No metrics by group of images" in sentence for sentence in gather(sources).lacks)


def test_broken_files_are_an_error_with_a_remedy(material, tmp_path):
    pd.DataFrame({"issue": ["a"]}).to_csv(tmp_path / "s.csv")
    (tmp_path / "s.json").write_text(json.dumps({"kinds": []}))
    with pytest.raises(InputError, match=r"are not of blindface subgroups .*make them again"):
        read_groups(tmp_path / "s.csv", tmp_path / "s.json")
    with pytest.raises(InputError, match="the notes lack their kinds"):
        read_groups(material.sources.subgroups, tmp_path / "s.json")
