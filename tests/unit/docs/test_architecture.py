"""The picture of the rooms is that of the imports, and every room has its place in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "workflow"))

import rooms  # noqa: E402


def test_the_picture_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, "workflow/rooms.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_room_is_a_stage_a_science_base_or_the_commands_and_lies_in_a_row() -> None:
    source = ROOT / "src" / "blindface"
    found = {path.stem for path in source.iterdir() if path.suffix in ("", ".py") and not path.stem.startswith("__")}
    assert found - {"py"} == {*rooms.STAGES, *rooms.SCIENCES, *rooms.BASE, "cli"}
    assert sorted(found) == sorted(room for row in rooms.layers() for room in row)


def test_an_arrow_goes_where_a_longer_way_leads_too() -> None:
    arrows = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert rooms.without_detours(arrows) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": set()}


@pytest.mark.parametrize(
    ("module", "depth", "room"),
    [
        ("p.split", 1, "split"),
        ("p.training.session.run", 1, "training"),
        ("p.training.session.run", 9, "training.session"),
        ("p.training", 9, "training"),
        ("p.__main__", 1, ""),
        ("p", 1, ""),
    ],
)
def test_a_module_belongs_to_its_folder(module: str, depth: int, room: str) -> None:
    modules = {"p", "p.split", "p.training", "p.training.session", "p.training.session.run"}
    assert rooms.room_of(module, depth, modules) == room
