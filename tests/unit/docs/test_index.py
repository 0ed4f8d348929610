"""The index names every page by its title, links lead somewhere, and prose ends at 120."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
LONGEST = 120


def test_the_index_names_every_page_by_its_title() -> None:
    written = dict(re.findall(r"^- \[[^]]+\]\(([^)]+)\): (.+)$", (DOCS / "README.md").read_text(), re.MULTILINE))
    titles = {path.name: path.read_text().split("\n")[0].removeprefix("# ") for path in DOCS.glob("*.md")}
    titles.pop("README.md")
    assert written == titles


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        if heading:
            assert heading in {_anchor(line) for line in path.read_text().splitlines() if line.startswith("#")}, target


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "training.md"], ids=lambda path: path.name)
def test_prose_is_wrapped(page: Path) -> None:
    in_code, long = False, []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        in_code ^= line.startswith("```")
        is_prose = not in_code and not line.startswith(("|", "```", "<!--", "!["))
        if is_prose and len(line) > LONGEST:
            long.append(number)
    assert long == []
