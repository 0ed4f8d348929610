"""Work ahead of its use: order, errors, bounds; and settings of the process that come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import cv2
import pytest
import torch

from blindface.base.threads import ahead, opencv_single_threaded, torch_threads


def test_items_come_in_their_order_and_are_made_by_another_thread() -> None:
    makers = []

    def items() -> Iterator[int]:
        for number in range(5):
            makers.append(threading.current_thread())
            yield number

    assert list(ahead(items(), depth=2)) == [0, 1, 2, 3, 4]
    assert threading.current_thread() not in makers
    assert list(ahead([])) == []


def test_so_many_are_made_ahead_and_no_more() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(9):
            made.append(number)
            yield number

    supply = ahead(items(), depth=2)
    assert next(supply) == 0
    deadline = time.monotonic() + 5
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert made == [0, 1, 2]
    supply.close()  # type: ignore[attr-defined]


def test_an_error_is_raised_in_the_place_of_its_item() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    supply = ahead(items())
    assert next(supply) == 1
    with pytest.raises(ValueError, match="the second"):
        next(supply)


def test_numbers_of_threads_come_back() -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    with torch_threads(before[0] + 1), opencv_single_threaded(), opencv_single_threaded():
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (before[0] + 1, 1)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before
