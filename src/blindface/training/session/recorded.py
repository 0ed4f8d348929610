"""The work of a batch as one CUDA graph: recorded once, then started by a single call.

A batch is some thousand kernels. Started one by one they keep the processor busy for longer than a fast GPU needs for
them, which then waits: in a long run on H200 cards a third of the time. A recorded batch runs the same kernels in the
same order, so the weights are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
from torch import Tensor

from blindface.base.progress import say
from blindface.training.recipes.progressive.schedule import StepWeights
from blindface.training.recipes.progressive.steps import Batch, StepRunner

WARM_UP = 3
"""Batches that are run before one is recorded: they compile, choose algorithms and make the optimisers' moments."""

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


class RecordedSteps:
    """Runs the steps of a `StepRunner` from a recording; in one process alone.

    Where they cannot be recorded, it says so and starts each kernel by itself.
    """

    def __init__(self, runner: StepRunner, recorder: Recorder | None = None) -> None:
        self.runner = runner
        self.recorder = recorder or CudaRecorder()
        self._inputs: Batch | None = None
        self._batches = 0
        self._recording: tuple[Callable[[], None], Terms] | None = None

    def run(self, batch: Batch, weights: StepWeights) -> Terms:
        """As `StepRunner.run`, for batches of one shape; the result holds until the next call."""
        self.runner.set_weights(weights)
        inputs = self._take(batch)
        self._batches += 1
        if self._batches == WARM_UP + 1:
            self._recording = self._record(inputs)
        if self._recording is None:
            with self.recorder.aside():
                return self.runner.run_steps(inputs)
        replay, terms = self._recording
        replay()
        return terms

    def _take(self, batch: Batch) -> Batch:
        """Copy the batch to where the recording reads it."""
        if self._inputs is None:
            self._inputs = Batch(
                blind=torch.empty_like(batch.blind),
                targets=_places(batch.targets),
                points=_places(batch.points),
                found=torch.empty_like(batch.found),
                mixes=_places(batch.mixes),
            )
        for place, value in zip(_tensors(self._inputs), _tensors(batch), strict=True):
            place.copy_(value)
        return self._inputs

    def _record(self, inputs: Batch) -> tuple[Callable[[], None], Terms] | None:
        self._prepare_optimisers(recorded=True)
        try:
            return self.recorder.record(lambda: self.runner.run_steps(inputs))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            say(f"the steps cannot be recorded as a CUDA graph, so each kernel is started by itself: {error}")
            self._prepare_optimisers(recorded=False)
            return None

    def _prepare_optimisers(self, recorded: bool) -> None:
        """Without gradients of earlier; and PyTorch refuses to record the step of an optimiser that is not told so."""
        for optimiser in self.runner.optimisers.all():
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["capturable"] = recorded


def _places(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(torch.empty_like(tensor) for tensor in tensors)


def _tensors(batch: Batch) -> list[Tensor]:
    return [batch.blind, *batch.targets, *batch.points, batch.found, *batch.mixes]
