"""Draw the rooms of the code into docs/architecture.md: `python workflow/rooms.py` (`make rooms`).

A room is a folder or a loose file directly below src/blindface; an arrow says that one imports from another. Order and
rows are those of the layers in pyproject.toml, which import-linter holds. `--check` writes nothing and says whether
the picture is up to date; `--figures` counts rooms, arrows and lines of the package that Python finds.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = "blindface"
BEGIN, END = "<!-- rooms: made by `make rooms` -->", "<!-- end of rooms -->"
STAGES = (
    "photographs", "split", "degradation", "landmarks", "check", "training", "restoration", "evaluation", "subgroups",
    "report", "publish",
)  # fmt: skip
"""In the order of the data."""
SCIENCES = ("rendered", "losses", "metrics", "networks")
BASE = ("base", "params", "external", "tracking")

Arrows = dict[str, set[str]]


def read_arrows(depth: int = 1) -> Arrows:
    """Which room imports from which others; `depth`: of the folders that count as rooms of their own."""
    import grimp

    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    arrows: Arrows = {}
    for module in sorted(graph.modules):
        room = room_of(module, depth, graph.modules)
        if room:
            others = {room_of(name, depth, graph.modules) for name in graph.find_modules_directly_imported_by(module)}
            arrows.setdefault(room, set()).update(others - {room, ""})
    return arrows


def room_of(module: str, depth: int, modules: Collection[str]) -> str:
    """The room of a module: its folder, at most `depth` deep, or the module itself where it is loose; "" of others."""
    parts = module.split(".")[1:]
    if not parts or parts[0].startswith("__"):
        return ""
    is_folder = any(name.startswith(f"{module}.") for name in modules)
    folders = parts if is_folder else parts[:-1]
    return ".".join(folders[:depth] or parts)


def layers() -> list[list[str]]:
    """The rooms by row, the highest first, as the contract of import-linter has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (rows,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip().removeprefix(f"{PACKAGE}.") for name in row.split("|")] for row in rows]


def without_detours(arrows: Arrows) -> Arrows:
    """The arrows that no longer way replaces: who reaches a room through another needs no arrow of its own."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            new = arrows.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found

    far = {room: reached(room) for room in arrows}
    return {room: {b for b in below if not any(b in far[c] for c in below - {b})} for room, below in arrows.items()}


def draw(arrows: Arrows, rows: Iterable[Iterable[str]]) -> str:
    """The picture as a block of Mermaid."""
    kinds = {"stage": STAGES, "science": SCIENCES, "base": BASE}
    lines = ["```mermaid", "flowchart TD"]
    for number, row in enumerate(rows):
        lines += [f"  subgraph row{number}[ ]", "    direction LR"]
        for room in row:
            kind = next((kind for kind, rooms in kinds.items() if room in rooms), "command")
            lines.append(f"    {room}:::{kind}")
        lines.append("  end")
    for room, below in sorted(without_detours(arrows).items()):
        lines += [f"  {room} --> {other}" for other in sorted(below)]
    colours = {"command": "#e8e8e8", "stage": "#cfe3f7", "science": "#d8efd3", "base": "#f5e6c8"}
    lines += [f"  classDef {kind} fill:{colour},stroke:#555,color:#111" for kind, colour in colours.items()]
    return "\n".join([*lines, "```"])


def page(text: str) -> str:
    """The page with the picture of now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    arrows = read_arrows()
    # Parameters take the names of the methods from their table: the one arrow upwards, see the contract.
    arrows["params"].discard("restoration")
    return f"{before}{BEGIN}\n\n{draw(arrows, layers())}\n\n{END}{after}"


def figures() -> str:
    """What can be counted, one line each."""
    import importlib.util

    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).parent
    arrows = read_arrows()
    loose = [path.stem for path in source.glob("*.py") if not path.stem.startswith("__")]
    code = sum(len(path.read_text().splitlines()) for path in source.rglob("*.py"))
    return "\n".join(
        [
            f"rooms {len(arrows)}",
            f"loose modules {len(loose)}",
            f"arrows between rooms {sum(map(len, arrows.values()))}",
            f"rooms, folders within folders counted too {len(read_arrows(9))}",
            f"arrows between these {sum(map(len, read_arrows(9).values()))}",
            f"lines of Python {code}",
        ]
    )


def main(arguments: list[str]) -> int:
    """Write the picture, or with `--check` compare it."""
    if arguments == ["--figures"]:
        print(figures())
        return 0
    old = PAGE.read_text()
    new = page(old)
    if arguments == ["--check"]:
        if new != old:
            print("docs/architecture.md shows other rooms than the code has: run `make rooms`", file=sys.stderr)
        return int(new != old)
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
