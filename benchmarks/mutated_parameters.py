"""Thousands of broken parameter files: each is read, or refused by one short sentence; a traceback is a fault.

    python benchmarks/mutated_parameters.py --files 10000 --seed 2024

Each file is params.yaml with one to four seeded mutations: of its values (another type, out of bounds, nested, huge),
of its keys (misspelt, doubled, no text), or of its bytes (cut, changed, in another encoding). What can be read also
goes through the slices that the rules ask for. Prints how many were read and refused, and the longest sentence; the
exit status is 1 if one ended in a traceback or in more than 300 characters.
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from blindface.base.errors import ParameterError
from blindface.params import load_params

ROOT = Path(__file__).parents[1]
LONGEST = 300
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, "", "x", -1, 0, 3.5, 10**30, 10**5000, float("nan"), float("inf"), b"bytes", [], {}, [1, 2], [[[]]]),
    *("{draft}", "${HOME}/faces", "~nosuchuser/faces", "$NOSUCHVARIABLE", "\U0001f600", "x" * 5000, "1" * 5000),
    *(
        {"a": 1},
        {1: 2},
        {None: None},
        {(1, 2): 3},
        {"x": {"y": {"z": [1] * 50}}},
        ["auto"] * 5000,
        "null",
        "\0",
        "2024-01-01",
    ),
)
ODD_TEXTS = (
    *(
        "!!binary aGVsbG8=",
        "2024-01-01",
        "!!set {a, b}",
        "&a [*a]",
        "!!python/object:os.system {}",
        "? [a, b]\n: c",
        "0x1F",
    ),
    *(
        "1e400",
        "[" * 2000,
        "{" * 2000,
        "*unknown",
        "!!int x",
        "!!float x",
        "0o9",
        "1:60:60",
        "<<: 3",
        "%TAG",
        "\t",
        "- a",
        "|",
        "'",
    ),
)


def places(values: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all keys, blocks and what is in them."""
    found = []
    for key, value in values.items():
        found.append((*path, key))
        if isinstance(value, dict):
            found += places(value, (*path, key))
    return found


def mutate_values(values: dict[str, Any], draw: random.Random) -> None:
    """Change a value or a key, in place."""
    path = draw.choice(places(values))
    block: dict[Any, Any] = values
    for key in path[:-1]:
        block = block[key]
    kind = draw.randrange(5)
    if kind == 0:
        del block[path[-1]]
    elif kind == 1:
        block[mutate_text(str(path[-1]), draw)] = block.pop(path[-1])
    elif kind == 2:
        block[draw.choice([1, None, True, 2.5, "x" * 400, b"key", ("a", "b")])] = deepcopy(draw.choice(ODD_VALUES))
    else:
        block[path[-1]] = deepcopy(draw.choice(ODD_VALUES))


def mutate_text(text: str, draw: random.Random) -> str:
    """A letter left out, doubled, changed or moved."""
    at = draw.randrange(max(1, len(text)))
    return draw.choice([text[:at] + text[at + 1 :], text[: at + 1] + text[at:], text[:at] + "_" + text[at + 1 :]])


def mutate_lines(text: str, draw: random.Random) -> str:
    """An odd piece of YAML in place of a value, or as a line of its own; a line left out, moved or indented."""
    lines = text.splitlines()
    at = draw.randrange(len(lines))
    odd = draw.choice(ODD_TEXTS)
    key = lines[at].partition(":")[0]
    other: tuple[list[str], ...] = (
        [f"{key}: {odd}"],
        [],
        [odd, lines[at]],
        [lines[at], lines[at]],
        [f"   {lines[at]}"],
        [lines[at].lstrip()],
    )
    lines[at : at + 1] = draw.choice(other)
    return "\n".join(lines)


def mutate_bytes(content: bytes, draw: random.Random) -> bytes:
    """A byte changed, the end cut off, or another encoding."""
    at = draw.randrange(max(1, len(content)))
    kind = draw.randrange(4)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :]
    if kind == 2:
        return b"\xff\xfe" + content
    return content.decode(errors="replace").encode(draw.choice(["utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp037"]))


@cache
def _parsed(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text))


def _values_of(text: str) -> dict[str, Any]:
    return deepcopy(_parsed(text))


def mutated(text: str, draw: random.Random) -> bytes:
    """One broken parameter file."""
    kind = draw.randrange(10)
    if kind < 6:
        values = _values_of(text)
        for _ in range(draw.randint(1, 4)):
            if values:
                mutate_values(values, draw)
        try:
            return yaml.dump(values, allow_unicode=True).encode(errors="surrogatepass")
        except ValueError:  # a number of more digits than Python writes
            return f"split: {{seed: {'9' * 5000}}}".encode()
    if kind < 8:
        return mutate_lines(text, draw).encode()
    return mutate_bytes(text.encode(), draw)


def read(path: Path) -> None:
    """All that reading parameters does. Errors: ParameterError."""
    sys.path.insert(0, str(ROOT / "workflow"))
    from experiment import Experiment  # type: ignore[import-not-found]

    values = load_params([path]).model_dump(mode="json")
    Experiment(values, ROOT).slice(*values)


def try_all(files: int, seed: int, reader: Callable[[Path], None] = read) -> tuple[Counter[str], list[str], str]:
    """How many were read and refused, the faults, and the longest sentence."""
    counts: Counter[str] = Counter()
    faults, longest = [], ""
    text = (ROOT / "params.yaml").read_text()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "parameters.yaml"
        for number in range(files):
            path.write_bytes(mutated(text, random.Random(f"{seed}/{number}")))
            try:
                reader(path)
                counts["read"] += 1
            except ParameterError as error:
                counts["refused"] += 1
                longest = max(longest, str(error), key=len)
                if len(str(error)) > LONGEST or "\n" in str(error):
                    faults.append(f"file {number}: {len(str(error))} characters: {error}")
            except BaseException:
                counts["traceback"] += 1
                faults.append(f"file {number}: {traceback.format_exc(limit=-3)}")
    return counts, faults, longest


def main() -> int:
    """Command line; see the module's docstring."""
    options = argparse.ArgumentParser(description="Read thousands of broken parameter files.")
    options.add_argument("--files", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=2024)
    given = options.parse_args()
    counts, faults, longest = try_all(given.files, given.seed)
    for fault in faults[:20]:
        print(fault)
    print(f"{given.files} files: {counts['read']} read, {counts['refused']} refused, {counts['traceback']} tracebacks")
    print(f"longest sentence: {len(longest)} characters: {longest}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
