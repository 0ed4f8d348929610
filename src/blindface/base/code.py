"""Which code decides a result, and a digest of it: what reruns a rule, and what a checkpoint is known by.

A command decides by the modules that it imports, directly or not. Modules that only tell (progress, tracking, help)
are no part of it, nor are comments, docstrings, annotations, layout, and the words of errors and messages. Where the
code lies is no part of it either.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

PACKAGE = "blindface"
SOURCE = Path(__file__).parents[2]
"""The folder that holds the package."""
TELLING = (
    "blindface.base.code",
    "blindface.base.errors",
    "blindface.base.progress",
    "blindface.base.version",
    "blindface.cli",
    # Parameters reach a stage by value: as part of what a rule or a checkpoint is known by.
    "blindface.params",
    "blindface.tracking",
    "blindface.training.monitor",
)
"""Modules and packages that tell a person something, or say what is known anyway: no result depends on them."""
RECIPES = "blindface.training.recipes"
"""A training runs one package of these; its result does not depend on the others, unless that one imports them."""


@dataclass(frozen=True)
class Module:
    """What one source file says: the blindface modules it imports, its texts, and its code without the words."""

    imports: tuple[str, ...]
    texts: frozenset[str]
    code: bytes


WAYS = "blindface.restoration"
"""The package whose modules a method names as its way of restoring."""
METHODS = "blindface.restoration.methods"
"""The table of methods: what of a method's entry decides its images reaches the rule by value."""


def digest_code(command: str, recipe: str | None = None, source: Path = SOURCE, way: str | None = None) -> str:
    """SHA-256 of the code that decides what `blindface <command>` makes; 64 hexadecimal digits.

    recipe: the one that a training runs; None counts all. source: the folder that holds the package. way: the module
    by which a method restores, in place of the table that names it.
    Errors: ValueError if there is no such command.
    """
    total = hashlib.sha256()
    for path in deciding_files(command, recipe, source, way):
        content = _read_module(path, source).code if path.suffix == ".py" else _read_data(path)
        name = path.relative_to(source).as_posix()
        total.update(f"{name}\n{len(content)}\n".encode() + content)
    return total.hexdigest()


def deciding_files(
    command: str, recipe: str | None = None, source: Path = SOURCE, way: str | None = None
) -> tuple[Path, ...]:
    """The files behind a command, sorted: modules by the import statements, and data files that one of them names.

    Errors: ValueError if there is no such command.
    """
    found: dict[str, Path] = {}
    waiting = [(PACKAGE, name) for name in _imports_of_command(command, source)]
    telling = TELLING if way is None else (*TELLING, METHODS)
    waiting += [] if way is None else [(PACKAGE, f"{WAYS}.{way}")]
    while waiting:
        importer, name = waiting.pop()
        path = _module_file(source, name)
        if path is None or name in found or _is_in(name, telling) or _is_other_recipe(importer, name, recipe, source):
            continue
        found[name] = path
        waiting += [(name, imported) for imported in _read_module(path, source).imports]
    if recipe is not None:
        # It only says which recipes there are: another one in the list is no other code of this one.
        found.pop(RECIPES, None)
    files = set(found.values())
    return tuple(sorted(files | _named_data(files, source)))


def _is_in(name: str, rooms: Iterable[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def _is_other_recipe(importer: str, name: str, recipe: str | None, source: Path) -> bool:
    if recipe is None or not name.startswith(f"{RECIPES}."):
        return False
    own = name.split(".")[3]
    if own == recipe or not source.joinpath(*RECIPES.split("."), own).is_dir():
        return False
    # What the recipe itself builds on counts: its importer is a recipe that is followed already.
    return not (importer.startswith(f"{RECIPES}.") and source.joinpath(*importer.split(".")[:4]).is_dir())


@cache
def _module_file(source: Path, name: str) -> Path | None:
    stem = source.joinpath(*name.split("."))
    return next((path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file()), None)


def _name_of(source: Path, path: Path) -> str:
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _named_data(files: set[Path], source: Path) -> set[Path]:
    """Data files beside the modules (registry, template) that a text of a module, or of such a file, names."""
    named: set[Path] = set()
    for folder in {path.parent for path in files} - {source / PACKAGE}:
        if data := _data_in(folder):
            words = "".join(file.read_text() for file in data if file.suffix in (".html", ".j2"))
            words += "\n".join(text for path in files for text in _read_module(path, source).texts)
            named |= {file for file in data if file.name in words}
    return named


def _read_data(path: Path) -> bytes:
    return _said_by(path.read_bytes()) if path.suffix in (".yaml", ".yml") else path.read_bytes()


@cache
def _said_by(yaml_text: bytes) -> bytes:
    """What a YAML file says, without comments and layout."""
    return json.dumps(yaml.safe_load(yaml_text), sort_keys=True, default=str).encode()


@cache
def _data_in(folder: Path) -> tuple[Path, ...]:
    return tuple(file for file in folder.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc"))


def _read_module(path: Path, source: Path) -> Module:
    name = _name_of(source, path)
    return _module_of(path.read_bytes(), name if path.name == "__init__.py" else name.rpartition(".")[0])


@cache
def _module_of(content: bytes, package: str) -> Module:
    tree = ast.parse(content)
    nodes = list(_running(tree))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    code: list[str] = []
    _Words(package, nodes).write(tree, code)
    return Module(tuple(_imported(nodes, package)), frozenset(texts), "\0".join(code).encode())


def _imports_of_command(command: str, source: Path) -> list[str]:
    """What the function of a command imports, and the functions of its module that it calls."""
    for path in sorted((source / PACKAGE / "cli").glob("*.py")):
        if f'"{command}"' not in path.read_text():
            continue
        tree = ast.parse(path.read_bytes())
        parts = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        first = [name for name, part in parts.items() if command in _commands(part)]
        if first:
            reached = _reached(first, parts)
            nodes = [node for name in reached for node in _running(parts[name])]
            return list(_imported([*_outside(tree), *nodes], f"{PACKAGE}.cli"))
    raise ValueError(f"no module of {PACKAGE}.cli has the command {command!r}")


def _commands(function: ast.FunctionDef) -> set[str]:
    found = set()
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "attr", "") == "command":
            found |= {argument.value for argument in decorator.args if isinstance(argument, ast.Constant)}
    return {str(value) for value in found}


def _reached(names: list[str], parts: dict[str, ast.FunctionDef]) -> set[str]:
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [node.id for node in _running(parts[name]) if isinstance(node, ast.Name) and node.id in parts]
    return reached


def _outside(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes of a module outside its functions and classes."""
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield from _running(statement)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`, which never run."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not _is_for_types(child):
            yield from _running(child)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in (
        getattr(node.test, "id", ""),
        getattr(node.test, "attr", ""),
    )


def _imported(nodes: Iterable[ast.AST], package: str) -> Iterator[str]:
    """The blindface modules that import statements may mean, and the packages around them."""
    for node in nodes:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base_of(node, package)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            if parts[0] == PACKAGE:
                # Importing a.b.c runs a and a.b too.
                yield from (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _base_of(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parents, node.module or ""]).rstrip(".")


LEFT_OUT = ("ctx", "returns", "type_comment", "kind", "type_params", "type_ignores")
"""Fields of a syntax tree that decide nothing."""


def _has_code(node: ast.AST) -> bool:
    """Whether a part of a message is more than a text."""
    return not isinstance(node, ast.JoinedStr) and not (isinstance(node, ast.Constant) and isinstance(node.value, str))


class _Words:
    """Writes a syntax tree as a list of texts, without what only tells.

    Written by hand, as `ast.dump` differs between versions of Python.
    """

    def __init__(self, package: str, nodes: Iterable[ast.AST]) -> None:
        self.package = package
        self.telling = {"print"}
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                base = _base_of(node, package)
                self.telling |= {each.asname or each.name for each in node.names if _tells_words(base, each.name)}

    def write(self, node: object, code: list[str], words: bool = True) -> None:
        """Append the node to `code`; words: whether texts count."""
        if isinstance(node, list):
            for entry in node:
                self.write(entry, code, words)
        elif isinstance(node, ast.AST):
            self._write_node(node, code, words)
        else:
            code.append(repr(node))

    def _write_node(self, node: ast.AST, code: list[str], words: bool) -> None:
        if self._only_tells(node) or not (words or _has_code(node)):
            return
        words = words and not isinstance(node, ast.Raise) and not (isinstance(node, ast.Call) and self._is_told(node))
        code.append(type(node).__name__)
        for field in node._fields:
            value = getattr(node, field, None)
            # Fields of dataclasses are made from their annotations; others decide nothing.
            left_out = field in LEFT_OUT or (field == "annotation" and not isinstance(node, ast.AnnAssign))
            if left_out or value == [] or (value is None and not isinstance(node, ast.Constant)):
                continue
            code.append(field)
            self.write(value, code, words)

    def _is_told(self, call: ast.Call) -> bool:
        return getattr(call.func, "id", None) in self.telling

    def _only_tells(self, node: ast.AST) -> bool:
        """Docstrings, imports for types, imports of what tells, and statements that say something."""
        if isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Call):
                return self._is_told(node.value)
            return isinstance(node.value, ast.Constant)
        if isinstance(node, ast.ImportFrom):
            base = _base_of(node, self.package)
            return all(_tells_words(base, alias.name) for alias in node.names)
        return _is_for_types(node)


def _tells_words(base: str, name: str) -> bool:
    """Whether a name imported from `base` is of a module whose calls only tell."""
    return _is_in(base, ("blindface.base.progress",)) or f"{base}.{name}" == "warnings.warn"
