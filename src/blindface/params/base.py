"""What all parameter blocks share: closed, frozen, and errors that name the key and the remedy."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
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


def explain(error: ValidationError, model: type[Block], origin: str) -> ParameterError:
    """One sentence for the first few problems of a failed validation, with the nearest key for a misspelt one."""
    problems = [_explain_one(detail, model) for detail in error.errors()]
    shown = "; ".join(problems[:3])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return ParameterError(f"{origin}: {shown}{more}")


def _explain_one(detail: ErrorDetails, model: type[Block]) -> str:
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = _keys_at(model, detail["loc"][:-1])
        near = difflib.get_close_matches(str(detail["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys here: {', '.join(known)}"
        return f"unknown parameter '{path}', {hint}"
    message = detail["msg"].removeprefix("Value error, ")
    # Parameters that do not go together: the message names them, and the whole block would be long
    if detail["type"] == "value_error" and isinstance(detail["input"], dict):
        return f"parameters of '{path}': {message}"
    return f"parameter '{path}' is {detail['input']!r}: {message[0].lower()}{message[1:]}"


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
