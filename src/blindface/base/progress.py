"""Progress bars on a terminal, silence otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield the items; on a terminal a bar with speed and remaining time is shown on standard error."""
    if not has_terminal():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        if total is None and isinstance(items, Sized):
            total = len(items)
        yield from bar.track(items, total=total, description=description)


_hushed = False


def hush() -> None:
    """Say nothing from now on: for the processes of one run whose leader speaks for them."""
    global _hushed
    _hushed = True


def has_terminal() -> bool:
    """Whether this process may draw on a terminal."""
    return sys.stderr.isatty() and not _hushed


def say(message: str) -> None:
    """Tell a person one thing, on standard error, so that standard output stays free for results."""
    if not _hushed:
        print(message, file=sys.stderr, flush=True)
