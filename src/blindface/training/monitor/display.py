"""What a person sees while a model trains: a bar on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from blindface.base.progress import has_terminal, say


class Display:
    """A bar over the batches of all epochs with the latest numbers beside it; use it in a `with` block."""

    def __init__(self, objective: str, epochs: int, batches: int, done: int) -> None:
        self.objective, self.epochs, self.total, self.done = objective, epochs, epochs * batches, done
        self._exit = ExitStack()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Display:
        if has_terminal():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            self._bar = self._exit.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
            self._task = self._bar.add_task(f"training {self.objective}", total=self.total, completed=self.done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.__exit__(kind, error, trace)

    def batch(self) -> None:
        """Move on by one batch."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def epoch(self, number: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show the last step's numbers of the finished epoch; `number` counts from 1."""
        text = f"epoch {number}/{self.epochs}: {summarise(rows[-1])}"
        if self._bar is not None:
            self._bar.update(self._task, description=f"training {self.objective}, {text}")
            return
        with suppress(OSError):  # the reader may be gone, as `tee` is after Ctrl-C; training goes on
            say(f"{self.objective} {text}")


def summarise(row: Mapping[str, Any]) -> str:
    """The few numbers of a history row that tell how a run is doing."""
    shown = [f"pixel {row['pixel']:.4f}"]
    if row.get("critic_gap") is not None:
        shown.append(f"critic gap {row['critic_gap']:.2f}")
    if row.get("psnr") is not None:
        shown.append(f"validation {row['psnr']:.2f} dB, SSIM {row['ssim']:.3f}")
    shown.append(f"{row['images_per_second']:.1f} images/s")
    return ", ".join(shown)
