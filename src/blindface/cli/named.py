"""Values of an option that carry a name: NAME=PATH, METHOD=OBJECTIVE, OBJECTIVE=METHOD."""

from __future__ import annotations

from pathlib import Path

from blindface.base.errors import InputError
from blindface.params import OBJECTIVES


def named(values: list[str], option: str, kind: str) -> dict[str, str]:
    """`["a=b"]` as a mapping; kind: what stands after the name.

    Errors: InputError for a value without a name, or a name given twice.
    """
    result: dict[str, str] = {}
    for value in values:
        name, equals, content = value.partition("=")
        if not (name and equals and content):
            example = f"{value}=objective1" if kind == "OBJECTIVE" else f"objective1={value}"
            raise InputError(f"{option} {value} is no pair: write it as NAME={kind}, for example {example}")
        if name in result:
            raise InputError(f"{option} names {name} twice: give each name once")
        result[name] = content
    return result


def named_paths(values: list[str], option: str) -> dict[str, Path]:
    """Values NAME=PATH. Errors: as of `named`."""
    return {name: Path(path) for name, path in named(values, option, "PATH").items()}


def named_objectives(values: list[str], option: str) -> dict[str, str]:
    """Values METHOD=OBJECTIVE. Errors: as of `named`, and InputError for an objective that there is not."""
    found = named(values, option, "OBJECTIVE")
    unknown = sorted(set(found.values()) - set(OBJECTIVES))
    if unknown:
        raise InputError(f"{option} names the objective '{unknown[0]}': known are {' and '.join(OBJECTIVES)}")
    return found
