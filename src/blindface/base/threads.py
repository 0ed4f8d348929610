"""How many threads work, and work that is done ahead of its use."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import cv2

S = TypeVar("S")
T = TypeVar("T")

_lock = threading.Lock()
_users = 0
_threads_before = 0


def available_workers() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def opencv_single_threaded() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own inside ours; the setting is the process's, so users are counted.

    The first user must enter, and the last one leave, while no other thread is inside OpenCV: a change of the number
    takes its threads away from whoever uses them, and the process dies.
    """
    global _users, _threads_before
    with _lock:
        if _users == 0:
            _threads_before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                cv2.setNumThreads(_threads_before)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let PyTorch compute with so many threads, within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def ahead(items: Iterable[T], depth: int = 1) -> Iterator[T]:
    """Yield the items in their order while a thread makes the next `depth` of them.

    An error in making one is raised in its place.
    """
    end, iterator = object(), iter(items)
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        try:
            waiting.extend(pool.submit(next, iterator, end) for _ in range(depth))
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, iterator, end))
                yield item
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def in_order(work: Callable[[S], T], items: Iterable[S], workers: int) -> Iterator[T]:
    """Yield `work(item)` in the order of the items, made by so many threads, each with one thread of PyTorch's.

    One worker works in the calling thread, with all of PyTorch's threads. At most two items per worker are at hand.
    An error is raised in its item's place.
    """
    if workers < 2:
        yield from map(work, items)
        return
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="work", initializer=_one_torch_thread) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _one_torch_thread() -> None:
    import torch

    torch.set_num_threads(1)  # OpenMP keeps the number per thread
