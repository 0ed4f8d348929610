"""What all parameter blocks share: closed, frozen, and errors that name the key and the remedy."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict
from pydantic_core import ErrorDetails

from blindface.base.errors import ParameterError


class Block(BaseModel):
    """One block of params.yaml. Unknown keys are refused; values cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def setting(default: Any, description: str, unit: str | None = None, **bounds: Any) -> Any:
    """A parameter: its default (the full LFW experiment), what it means, its unit and its bounds."""
    extra: JsonDict | None = {"unit": unit} if unit else None
    return Field(default=default, description=description, json_schema_extra=extra, **bounds)


LONGEST = 300
"""Characters of an error; what is longer is not read."""


def explain(error: ValidationError, model: type[Block], origin: str) -> ParameterError:
    """One sentence for the first problems of a failed validation, with the nearest key for a misspelt one."""
    problems = [shorten(_explain_one(detail, model), 230) for detail in error.errors()]
    origin = shorten(origin, 50)
    shown = f"{origin}: {problems[0]}"
    for number, problem in enumerate(problems[1:], 1):
        longer = f"{shown}; {problem}"
        more = f"; and {len(problems) - number} more"
        if number == 3 or len(longer) + len("; and 99 more") > LONGEST:
            return ParameterError(shown + more)
        shown = longer
    return ParameterError(shown)


def shorten(text: str, length: int) -> str:
    """The text on one line, and of a longer one its beginning and end."""
    text = " ".join(text.split())
    half = (length - 3) // 2
    return text if len(text) <= length else f"{text[:half]}...{text[-half:]}"


def show(value: object) -> str:
    """A value as an error shows it: a number or a text in short, of anything larger only what it is."""
    if isinstance(value, dict):
        return f"a block of {len(value)} keys"
    if isinstance(value, list | tuple) and len(value) > 9:
        return f"a list of {len(value)}"
    return shorten(repr(value), 60)


def _explain_one(detail: ErrorDetails, model: type[Block]) -> str:
    path = shorten(".".join(str(part) for part in detail["loc"]), 80)
    if detail["type"] == "extra_forbidden":
        known = _keys_at(model, detail["loc"][:-1])
        near = difflib.get_close_matches(str(detail["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys here: {', '.join(known)}"
        return f"unknown parameter '{path}', {hint}"
    if detail["type"] == "missing":
        return f"parameter '{path}' is missing: give it"
    message = detail["msg"].removeprefix("Value error, ")
    # Parameters that do not go together: the message names them, and the whole block would be long
    if detail["type"] == "value_error" and isinstance(detail["input"], dict):
        return f"parameters of '{path}': {message}" if path else message
    if detail["type"] in ("json_invalid", "json_type"):
        return "a value is none that parameters can have: write numbers, texts, lists and blocks"
    return f"parameter '{path}' is {show(detail['input'])}: {message[0].lower()}{message[1:]}"


def plain(value: object, path: str = "", depth: int = 0) -> Any:
    """The value, if it is made of blocks with text keys, lists, texts, numbers, true, false and null.

    Errors: ParameterError for anything else that YAML can say: bytes, dates, sets, blocks within themselves.
    """
    where = f"parameter '{shorten(path, 80)}'" if path else "the parameters"
    if depth > 12:
        raise ParameterError(f"{where}: blocks within blocks of that depth are no parameters; write them flat")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ParameterError(f"the key {show(key)} in {where} is no text: give the name of a parameter")
        return {key: plain(content, f"{path}.{key}".lstrip("."), depth + 1) for key, content in value.items()}
    if isinstance(value, list | tuple):
        if len(value) > 10_000:
            raise ParameterError(f"{where} is {show(value)}: give a shorter one")
        return [plain(entry, f"{path}.{number}", depth + 1) for number, entry in enumerate(value)]
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ParameterError(f"{where} is a number of {value.bit_length()} bits: give one of at most 63")
    if isinstance(value, str) and not value.isprintable():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ParameterError(f"{where} is {show(value)}, no text of Unicode: write it in UTF-8") from None
    if value is not None and not isinstance(value, str | int | float):
        kind = type(value).__name__
        raise ParameterError(f"{where} is {show(value)}, a value of {kind}: write a number or a text in quotes")
    return value


def expand_path(text: str) -> str:
    """A path with its `~` and `$VARIABLE` filled in; one that is there as it is written stays as it is.

    Errors: ValueError if there is no such person or variable.
    """
    if os.path.lexists(text):
        return text
    expanded = os.path.expandvars(text)
    unset = re.search(r"\$(?:\{(\w+)\}|(\w+))", expanded)
    if unset:
        name = unset[1] or unset[2]
        raise ValueError(f"the variable {shorten(name, 40)} is not set: set it, or write the path without it")
    expanded = os.path.expanduser(expanded)  # noqa: PTH111  (of pathlib an unknown person ends in RuntimeError)
    if expanded.startswith("~"):
        person = shorten(expanded.partition("/")[0], 40)
        raise ValueError(f"there is no home folder of {person}: write the path without it, or ./ before the ~")
    return expanded


PathText = Annotated[str, AfterValidator(expand_path)]
"""A parameter that is a path."""


def _keys_at(model: type[Block], location: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, Block) and part in current.model_fields:
            current = current.model_fields[str(part)].annotation
            # Optional[Block] and the like: the block among the alternatives
            for option in getattr(current, "__args__", ()):
                if isinstance(option, type) and issubclass(option, Block):
                    current = option
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, Block) else []


def describe(block: Block, prefix: str = "") -> Iterator[str]:
    """One line per key, in file order: `path = value [unit; bounds]  meaning`."""
    for name, field in type(block).model_fields.items():
        value = getattr(block, name)
        if isinstance(value, Block):
            yield f"{prefix}{name}: {field.description}"
            yield from describe(value, f"{prefix}{name}.")
            continue
        extra = field.json_schema_extra
        notes = [str(extra["unit"])] if isinstance(extra, dict) and "unit" in extra else []
        for symbol, key in (("\u2265", "ge"), (">", "gt"), ("\u2264", "le"), ("<", "lt")):
            notes += [
                f"{symbol} {getattr(mark, key)}" for mark in field.metadata if getattr(mark, key, None) is not None
            ]
        bounds = f" [{'; '.join(notes)}]" if notes else ""
        shown = json.dumps(block.model_dump(mode="json")[name])
        yield f"{prefix}{name} = {shown}{bounds}  {field.description}"
