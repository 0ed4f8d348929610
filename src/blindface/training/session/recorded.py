"""The work of a batch as one CUDA graph: recorded once, then started by a single call.

A batch is some thousand kernels. Started one by one they keep the processor busy for longer than a fast GPU needs for
them, which then waits: in a long run on H200 cards a third of the time. A recorded batch runs the same kernels in the
same order, so the weights are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
from torch import Tensor

from blindface.base.progress import say
from blindface.training.data import Batch
from blindface.training.recipes.base import Recipe

WARM_UP = 3
"""Updates that are run before one is recorded: they compile, choose algorithms and make the optimisers' moments."""

Terms = dict[str, Tensor]


class Recorder(Protocol):
    """What records work of a device."""

    def aside(self) -> AbstractContextManager[object]:
        """The context in which the batches before the recording run."""

    def record(self, once: Callable[[], Terms]) -> tuple[Callable[[], None], Terms]:
        """Record `once` without running it; what runs it, and its result, in tensors that every run fills anew."""


class CudaRecorder:
    """Records on the current GPU. All happens on one stream: a recording must not wait for work of another."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    @contextmanager
    def aside(self) -> Iterator[None]:
        """On the stream, after what the current one was given so far and before what it will be given."""
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            yield
        current.wait_stream(self.stream)

    def record(self, once: Callable[[], Terms]) -> tuple[Callable[[], None], Terms]:
        """As one CUDA graph with memory of its own."""
        graph = torch.cuda.CUDAGraph()
        # The outer context gives the stream back where the inner one fails
        with (
            torch.cuda.stream(torch.cuda.current_stream()),
            torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"),
        ):
            terms = once()
        return graph.replay, terms


class RecordedUpdates:
    """Runs a recipe's updates from recordings, one for each kind of update; in one process alone.

    Where they cannot be recorded, it says so and starts each kernel by itself.
    """

    def __init__(self, recipe: Recipe, recorder: Recorder | None = None) -> None:
        self.recipe = recipe
        self.recorder = recorder or CudaRecorder()
        self._inputs: Batch | None = None
        self._count: dict[str, int] = {}
        self._recordings: dict[str, tuple[Callable[[], None], Terms]] = {}

    def run(self, batch: Batch) -> Terms:
        """As `Recipe.update`, for batches of one shape; the result holds until the next call."""
        inputs, kind = self._take(batch), self.recipe.kind(self.recipe.updates)
        self._count[kind] = self._count.get(kind, 0) + 1
        if self._count[kind] == WARM_UP + 1:
            self._record(kind, inputs)
        if kind not in self._recordings:
            with self.recorder.aside():
                return self.recipe.update(inputs)
        replay, terms = self._recordings[kind]
        replay()
        return terms

    def _take(self, batch: Batch) -> Batch:
        """Copy the batch to where the recordings read it."""
        if self._inputs is None:
            self._inputs = batch.empty()
        for place, value in zip(self._inputs.tensors(), batch.tensors(), strict=True):
            place.copy_(value)
        return self._inputs

    def _record(self, kind: str, inputs: Batch) -> None:
        self._prepare_optimisers(recorded=True)
        try:
            self._recordings[kind] = self.recorder.record(lambda: self.recipe.update(inputs))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            say(f"the update cannot be recorded as a CUDA graph, so each kernel is started by itself: {error}")
            self._prepare_optimisers(recorded=bool(self._recordings))

    def _prepare_optimisers(self, recorded: bool) -> None:
        """Without gradients of earlier; and PyTorch refuses to record the step of an optimiser that is not told so."""
        for optimiser in self.recipe.optimisers().values():
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["capturable"] = recorded
