"""A small ONNX network as a PyTorch module: for a GPU that onnxruntime's CPU build does not know, and whole batches.

Reads the few fields of the format that a plain convolutional network has (onnx.proto3, message numbers below) and runs
Conv, Relu, Clip, Add and Reshape. What the file asks for beyond that is refused, so nothing is computed half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from blindface.base.errors import ExternalFileError

Fields = dict[int, list[Any]]
GRAPH = 7
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12
NODE_INPUT, NODE_OUTPUT, OPERATOR, ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_TENSOR, ATTRIBUTE_INTS = 1, 3, 5, 8
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW = 1, 2, 8, 9
TYPES: dict[int, Any] = {1: np.dtype("<f4"), 7: np.dtype("<i8")}


@dataclass(frozen=True)
class Node:
    """One operation: its name, what it reads and writes, its attributes."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


class OnnxNetwork(torch.nn.Module):
    """The network of an ONNX file with one input (N, C, H, W) and one output (N, D), float32."""

    def __init__(self, path: Path) -> None:
        """Read the file. Errors: ExternalFileError if it is no such network."""
        super().__init__()
        try:
            graph = _fields(_fields(memoryview(path.read_bytes()))[GRAPH][0])
            self.nodes = [_node(part) for part in graph[NODE]]
            tensors = dict(_tensor(part) for part in graph[INITIALIZER])
            self.input, self.output = (_text(_fields(graph[key][0])[1][0]) for key in (INPUT, OUTPUT))
        except (KeyError, IndexError, ValueError, UnicodeDecodeError) as error:
            raise ExternalFileError(f"{path} is no ONNX network ({error!r}): fetch it again") from error
        strange = sorted({node.operator for node in self.nodes} - {*OPERATORS, "Constant"})
        if strange:
            raise ExternalFileError(f"{path} needs operations that are not known here ({', '.join(strange)})")
        constants = {node.output: node.attributes["value"] for node in self.nodes if node.operator == "Constant"}
        self.nodes = [node for node in self.nodes if node.operator != "Constant"]
        self._names = {name: f"tensor{number}" for number, name in enumerate([*tensors, *constants])}
        for name, tensor in (tensors | constants).items():
            # shapes and bounds stay on the CPU, where reading them makes no GPU wait
            small = tensor.ndim < 1 or tensor.dtype == torch.int64
            setattr(self, self._names[name], tensor) if small else self.register_buffer(self._names[name], tensor)

    @torch.inference_mode()
    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) float32 -> (N, D) float32."""
        known: dict[str, torch.Tensor] = {self.input: batch}
        known |= {name: getattr(self, place) for name, place in self._names.items()}
        for node in self.nodes:
            known[node.output] = OPERATORS[node.operator](*(known[name] for name in node.inputs), **node.attributes)
        return known[self.output]


def _convolve(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
) -> torch.Tensor:
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return F.conv2d(x, weight, bias, tuple(strides), (top, left), tuple(dilations), group)
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, tuple(strides), 0, tuple(dilations), group)


def _reshape(x: torch.Tensor, shape: torch.Tensor, allowzero: int = 0) -> torch.Tensor:
    """The exported batch size is a detail of the file: the first dimension stays what it is."""
    return x.reshape(len(x), *shape.tolist()[1:])


OPERATORS: dict[str, Callable[..., torch.Tensor]] = {
    "Conv": _convolve,
    "Relu": lambda x: x.relu(),
    "Clip": lambda x, low, high: x.clamp(low.item(), high.item()),
    "Add": lambda a, b: a + b,
    "Reshape": _reshape,
}


def _node(content: memoryview) -> Node:
    fields = _fields(content)
    attributes = dict(_attribute(part) for part in fields.get(ATTRIBUTE, []))
    inputs = tuple(_text(name) for name in fields.get(NODE_INPUT, []))
    return Node(_text(fields[OPERATOR][0]), inputs, _text(fields[NODE_OUTPUT][0]), attributes)


def _attribute(content: memoryview) -> tuple[str, Any]:
    fields = _fields(content)
    name = _text(fields[ATTRIBUTE_NAME][0])
    if ATTRIBUTE_TENSOR in fields:
        return name, _tensor(fields[ATTRIBUTE_TENSOR][0])[1]
    if ATTRIBUTE_INTS in fields:
        return name, _integers(fields[ATTRIBUTE_INTS])
    return name, _integers(fields[ATTRIBUTE_INT])[0]


def _tensor(content: memoryview) -> tuple[str, torch.Tensor]:
    fields = _fields(content)
    kind = TYPES[fields[TENSOR_TYPE][0]]
    shape = _integers(fields.get(TENSOR_DIMS, []))
    values = np.frombuffer(fields[TENSOR_RAW][0], kind).reshape(shape)
    return _text(fields.get(TENSOR_NAME, [b""])[0]), torch.from_numpy(values.copy())


def _integers(parts: Sequence[Any]) -> list[int]:
    """Repeated int64, one by one or packed."""
    numbers: list[int] = []
    for part in parts:
        numbers += [part] if isinstance(part, int) else [value for value, _ in _varints(part)]
    return [number - (1 << 64) if number >> 63 else number for number in numbers]


def _fields(content: memoryview) -> Fields:
    """The fields of a protobuf message by number: integers for wire type 0, bytes for the others."""
    fields: Fields = {}
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        wire = key & 7
        value: Any
        if wire == 0:
            value, place = _varint(content, place)
        elif wire in (1, 2, 5):
            size, place = _varint(content, place) if wire == 2 else (8 if wire == 1 else 4, place)
            value, place = content[place : place + size], place + size
        else:
            raise ValueError(f"wire type {wire}")
        fields.setdefault(key >> 3, []).append(value)
    if place != len(content):
        raise ValueError("cut short")
    return fields


def _varints(content: memoryview) -> Iterator[tuple[int, int]]:
    place = 0
    while place < len(content):
        value, place = _varint(content, place)
        yield value, place


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _text(content: Any) -> str:
    return bytes(content).decode()
