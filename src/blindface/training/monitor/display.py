"""What a person sees while a model trains: a bar on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from blindface.base.progress import has_terminal, say


class Display:
    """A bar over the batches of all epochs with the latest numbers beside it; use it in a `with` block.

    told: columns of the history, see `Recipe.told`.
    """

    def __init__(self, model: str, epochs: int, batches: int, done: int, told: Sequence[str] = ()) -> None:
        self.model, self.epochs, self.total, self.done = model, epochs, epochs * batches, done
        self.told = told
        self._exit = ExitStack()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Display:
        if has_terminal():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            self._bar = self._exit.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
            self._task = self._bar.add_task(f"training {self.model}", total=self.total, completed=self.done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.__exit__(kind, error, trace)

    def batch(self) -> None:
        """Move on by one batch."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def epoch(self, number: int, row: Mapping[str, Any]) -> None:
        """Show the last step's numbers of the finished epoch; `number` counts from 1."""
        text = f"epoch {number}/{self.epochs}: {summarise(row, self.told)}"
        if self._bar is not None:
            self._bar.update(self._task, description=f"training {self.model}, {text}")
            return
        with suppress(OSError):  # the reader may be gone, as `tee` is after Ctrl-C; training goes on
            say(f"{self.model} {text}")


def summarise(row: Mapping[str, Any], told: Sequence[str]) -> str:
    """The few numbers of a history row that tell how a run is doing; told: the recipe's own among them."""
    shown = [f"{name.replace('_', ' ')} {row[name]:.4g}" for name in told if row.get(name) is not None]
    if row.get("psnr") is not None:
        shown.append(f"validation {row['psnr']:.2f} dB, SSIM {row['ssim']:.3f}")
    shown.append(f"{row['images_per_second']:.1f} images/s")
    return ", ".join(shown)
