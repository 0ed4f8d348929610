"""Which code decides a result: each module edited in turn, against maps that other hands drew."""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path

import pytest

from blindface.base.code import PACKAGE, SOURCE, TELLING, deciding_files, digest_code

COMMANDS = (
    *("photographs", "weights", "targets", "split", "pairs", "landmarks", "check", "train", "restore", "restore-steps"),
    *("import-folder", "evaluate", "attributes", "subgroups", "report"),
)
# What reruns when such a module changes, said by hand.
MODELS = {"train", "restore", "restore-steps"}
RERUNS = {
    "degradation/equation.py": {"pairs", "check", "train", "evaluate"},
    "networks/layers.py": MODELS,
    "losses/pixel.py": {"train"},
    "training/session/recorded.py": {"train"},
    "training/session/loop.py": {"train"},
    "landmarks/geometry.py": {"landmarks", "train", "evaluate"},
    "metrics/niqe.py": {"evaluate"},
    "rendered/hair.py": {"photographs"},
    "training/monitor/plan.py": set(),
    "training/monitor/display.py": set(),
    "training/monitor/memory.py": set(),
    "base/progress.py": set(),
    "base/errors.py": set(),
    "base/version.py": set(),
    "cli/train.py": set(),
    "params/training.py": set(),
    "tracking/writer.py": set(),
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    source = tmp_path_factory.mktemp("elsewhere") / "src"
    shutil.copytree(SOURCE / PACKAGE, source / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    return source


def digests(source: Path) -> dict[str, str]:
    return {command: digest_code(command, source=source) for command in COMMANDS}


def changed_by(path: Path, content: str, source: Path) -> set[str]:
    """The commands whose digest another content of a file changes."""
    before, kept = digests(source), path.read_bytes()
    path.write_text(content)
    after = digests(source)
    path.write_bytes(kept)
    return {command for command in COMMANDS if before[command] != after[command]}


def begins_of(command: str) -> list[str]:
    """The modules named in the source of a command's function and of its module's functions that it calls."""
    import blindface.cli.app

    (first,) = (entry.callback for entry in blindface.cli.app.app.registered_commands if entry.name == command)
    waiting, seen, names = [first], set(), []
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        names += re.findall(r"from (blindface[\w.]*) import (\w+)", inspect.getsource(function))
        near = [function.__globals__.get(name) for name in function.__code__.co_names]
        waiting += [each for each in near if inspect.isfunction(each) and each.__module__ == first.__module__]
    return [name for base, part in names for name in (base, f"{base}.{part}")]


def drawn_by_grimp() -> dict[str, set[str]]:
    """By module the commands it is behind, from the import graph of another library."""
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    behind: dict[str, set[str]] = {module: set() for module in graph.modules}
    tells = [module for module in graph.modules if any(f"{module}.".startswith(f"{room}.") for room in TELLING)]
    for module in tells:
        graph.remove_module(module)
    for command in COMMANDS:
        waiting, found = begins_of(command), set()
        while waiting:
            module = waiting.pop()
            if module in graph.modules and module not in found:
                found.add(module)
                waiting += [*graph.find_modules_directly_imported_by(module), module.rpartition(".")[0]]
        for module in found:
            behind[module].add(command)
    return behind


@pytest.mark.slow
def test_each_module_edited_in_turn_reruns_what_is_built_on_it_and_nothing_else(copied):
    expected, wrong = drawn_by_grimp(), {}
    before = digests(copied)
    for module, commands in sorted(expected.items()):
        stem = copied.joinpath(*module.split("."))
        path = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        kept = path.read_bytes()
        path.write_bytes(kept + b"\nEDITED = 1\n")
        reruns = {command for command in COMMANDS if digest_code(command, source=copied) != before[command]}
        path.write_bytes(kept)
        if reruns != commands:
            wrong[module] = reruns ^ commands
    assert not wrong
    assert len(expected) > 100


@pytest.mark.parametrize("name", RERUNS)
def test_what_reruns_is_what_a_person_expects(copied, name):
    path = copied / PACKAGE / name
    assert changed_by(path, path.read_text() + "\nEDITED = 1\n", copied) == RERUNS[name]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Adds one."""', '"""Adds 1 to it."""'),
        ("# why", "# because"),
        ("x: int", "x: float"),
        ('f"{x} is none"', 'f"{x} is not a number"'),
        ('say("adding")', 'say(f"adding one to {x}")'),
        ('    say("adding")\n', ""),
        ("return (x + 1)", "return x  +  1"),
        ("if TYPE_CHECKING:\n    import os\n", "if TYPE_CHECKING:\n    import sys\n"),
    ],
)
def test_words_and_layout_are_no_code(tmp_path, old, new):
    assert old in SMALL
    assert digest_of(tmp_path / "a", SMALL) == digest_of(tmp_path / "b", SMALL.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [("x + 1", "x + 2"), ('"mode"', '"other"'), ("x is None", "x is not None"), ("InputError", "ParameterError")],
)
def test_what_is_computed_is_code(tmp_path, old, new):
    assert old in SMALL
    assert digest_of(tmp_path / "a", SMALL) != digest_of(tmp_path / "b", SMALL.replace(old, new))


SMALL = '''"""Adds."""
from typing import TYPE_CHECKING
from blindface.base.errors import InputError
from blindface.base.progress import say
if TYPE_CHECKING:
    import os
MODE = "mode"
def add(x: int) -> int:
    """Adds one."""
    # why
    if x is None:
        raise InputError(f"{x} is none")
    say("adding")
    return (x + 1)
'''


def digest_of(folder: Path, text: str) -> str:
    small(folder, text)
    return digest_code("add", source=folder)


def small(folder: Path, text: str) -> None:
    """A package of one command and one module with this text."""
    package = folder / PACKAGE
    (package / "cli").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli" / "add.py").write_text(
        '@app.command("add")\ndef add_command():\n    from blindface import small\n'
    )
    (package / "small.py").write_text(text)


def test_code_is_the_same_wherever_it_lies(copied):
    assert digests(copied) == digests(SOURCE)


def test_a_command_counts_by_its_own_function_and_not_by_its_neighbours_in_the_file(tmp_path):
    small(tmp_path, "")
    path = tmp_path / PACKAGE / "cli" / "add.py"
    path.write_text(path.read_text() + '@app.command("tell")\ndef tell():\n    from blindface import told\n')
    (tmp_path / PACKAGE / "told.py").touch()
    assert [file.name for file in deciding_files("add", source=tmp_path)] == ["__init__.py", "small.py"]
    assert [file.name for file in deciding_files("tell", source=tmp_path)] == ["__init__.py", "told.py"]
    with pytest.raises(ValueError, match="'sing'"):
        deciding_files("sing", source=tmp_path)


def test_a_recipe_counts_with_what_it_builds_on_and_without_the_others(tmp_path):
    small(tmp_path, "from blindface.training.recipes import registry")
    recipes = tmp_path / PACKAGE / "training" / "recipes"
    for name, imported in {"mean": "math", "gan": "blindface.training.recipes.mean.loss", "flow": "math"}.items():
        (recipes / name).mkdir(parents=True)
        (recipes / name / "__init__.py").touch()
        (recipes / name / "loss.py").write_text(f"import {imported}\n")
    (recipes / "__init__.py").touch()
    (recipes.parent / "__init__.py").touch()
    names = ", ".join(f"{name}.loss" for name in ("mean", "gan", "flow"))
    lines = [f"import blindface.training.recipes.{name}" for name in names.split(", ")]
    (recipes / "registry.py").write_text("\n".join(lines))

    def counted(recipe: str | None) -> set[str]:
        files = deciding_files("add", recipe, source=tmp_path)
        return {file.parent.name for file in files if file.name == "loss.py"}

    assert counted("mean") == {"mean"}
    assert counted("gan") == {"gan", "mean"}
    assert counted(None) == {"mean", "gan", "flow"}
    before = digest_code("add", "mean", tmp_path)
    (recipes / "__init__.py").write_text("LISTED = 4")
    assert digest_code("add", "mean", tmp_path) == before


def test_a_data_file_counts_where_a_module_names_it(tmp_path):
    small(tmp_path, "from blindface import page")
    page = tmp_path / PACKAGE / "page"
    page.mkdir()
    (page / "__init__.py").write_text("TEMPLATE = 'page.html'")
    (page / "page.html").write_text("{% include 'part.html' %}")
    for name in ("part.html", "unused.html"):
        (page / name).touch()
    names = {file.name for file in deciding_files("add", source=tmp_path)}
    assert names == {"__init__.py", "small.py", "page.html", "part.html"}


def test_comments_in_a_data_file_are_no_code(tmp_path):
    small(tmp_path, "from blindface import page")
    page = tmp_path / PACKAGE / "page"
    page.mkdir()
    (page / "__init__.py").write_text("TABLE = 'table.yaml'")
    found = []
    for text in ("a: 1", "# one\na:   1\n", "a: 2"):
        (page / "table.yaml").write_text(text)
        found.append(digest_code("add", source=tmp_path))
    assert found[0] == found[1] != found[2]
