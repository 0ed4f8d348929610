"""What the page's section on groups of images is made from."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from blindface.report.figures.group_charts import CAPTION, MARGINS, draw_panel, panels_of, short
from blindface.report.figures.style import inline_svg, panels, role_of
from blindface.report.inputs.material import Material
from blindface.report.text.groups import Groups, compared_methods, read_groups, sections
from blindface.restoration.methods import method_of


def group_context(material: Material) -> dict[str, Any] | None:
    """The values of `templates/groups.html`, charts drawn; None where nothing was measured by group."""
    groups = read_groups(material.sources.subgroups, material.sources.groups)
    if groups is None:
        return None
    return {
        "labels": groups.notes["attributes"]["name"],
        "notes": groups.notes["notes"],
        "small": groups.notes["small"],
        "equation": groups.notes["equation"],
        "caption": CAPTION,
        "key": [(method_of(name).label, role_of(name)) for name in compared_methods(groups)],
        "sections": [
            {
                "issue": section.issue,
                "title": section.title,
                "kinds": section.kinds,
                "sources": source_lines(groups, section.issue),
                "charts": _charts(material, groups, section.issue) if len(section.issue) == 1 else [],
            }
            for section in sections(material, groups)
        ],
    }


def source_lines(groups: Groups, issue: str) -> list[str]:
    """Where the groups of an issue's charts come from, a sentence per source."""
    titles: dict[str, list[str]] = {}
    for kind in groups.notes["kinds"]:
        if kind["issue"] == issue and len(issue) == 1 and not kind["unavailable"]:
            titles.setdefault(str(kind["source"]), []).append(short(kind["title"]))
    return [f"{' · '.join(names)}: {source}." for source, names in titles.items()]


def _charts(material: Material, groups: Groups, issue: str) -> list[Markup]:
    charts = []
    for panel in panels_of(material, groups, issue):
        figure, (axes,) = panels(1, 1, panel.size, MARGINS)
        draw_panel(axes, panel)
        charts.append(Markup(inline_svg(figure, f"g-{panel.name}", f"{panel.title}, by group")))
    return charts
