"""Regions of an update: functions of tensors that are compiled as one graph each, where that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Region = Callable[..., Any]


def regions(compile: bool, *functions: Region) -> tuple[Region, ...]:
    """The functions, compiled: static shapes, no graph breaks, and the backward of each compiled with it.

    PyTorch limits the graphs per function, so those of an earlier object, which would count, are dropped.
    """
    if not compile:
        return functions
    torch.compiler.reset()
    return tuple(torch.compile(function, dynamic=False, fullgraph=True) for function in functions)
