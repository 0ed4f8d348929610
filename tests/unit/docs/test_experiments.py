"""The log of experiments: a folder per question, short, and one table of all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = sorted(path for path in (ROOT / "experiments").iterdir() if path.is_dir())


def test_the_table_names_every_experiment_with_its_question() -> None:
    table = (ROOT / "experiments/README.md").read_text()
    rows = re.findall(r"^\| (\S+) \| \[(.+)\]\((.+)/README\.md\) \| .+ \|$", table, re.MULTILINE)
    titles = [path.joinpath("README.md").read_text().splitlines()[0].removeprefix("# ") for path in FOLDERS]
    wanted = [(path.name[:10], title, path.name) for path, title in zip(FOLDERS, titles, strict=True)]
    assert rows == wanted


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_an_experiment_is_short_and_says_what_was_asked_found_and_decided(folder: Path) -> None:
    lines = (folder / "README.md").read_text().splitlines()
    text = "\n".join(lines)
    assert len(lines) <= 40
    assert all(f"**{part}." in text for part in ("Question", "Set-up", "Result", "Decision"))


@pytest.mark.parametrize("page", sorted((ROOT / "experiments").rglob("*.md")), ids=lambda path: path.parent.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
