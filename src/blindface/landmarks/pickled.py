"""Reading tensors from a pickled torch module without running anything that the file names.

Unpickling calls whatever a file asks for. Here a file may ask for nothing but the names listed below, and what it gets
for them are inert containers, never torch's classes: so a file of unknown origin can at worst be refused.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from blindface.base.errors import ExternalFileError

STORAGES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
LIMIT = 64 * 2**20
"""Larger files are refused: the one that is meant has 1.3 MB."""


class _Module:
    """Stands for any module: takes its attributes and does nothing."""

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state) if isinstance(state, Mapping) else {}


class _Tensor:
    """Where a tensor's numbers stand in the file."""

    def __init__(self, storage: Any, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *rest: Any) -> None:
        self.storage, self.offset, self.shape, self.stride = storage, offset, tuple(shape), tuple(stride)


def _parameter(tensor: _Tensor, *rest: Any) -> _Tensor:
    return tensor


def _nothing(*rest: Any) -> None:
    return None


ADMITTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("fan_model", "fan_squeeze"): _Module,
    ("torch.nn.modules.conv", "Conv2d"): _Module,
    ("torch.nn.modules.batchnorm", "BatchNorm2d"): _Module,
    ("torch.nn.modules.activation", "LeakyReLU"): _Module,
    ("torch.nn.modules.container", "Sequential"): _Module,
    ("torch.nn.backends.thnn", "_get_thnn_function_backend"): _nothing,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    **{("torch", name): name for name in STORAGES},
}
"""All that a file may name, and the inert things it gets."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def persistent_load(self, reference: Any) -> Any:
        kind, *rest = reference
        if kind == "module":  # (class, path of its source, its source)
            return rest[0]
        if kind == "storage":  # (type, key, device, number of elements, view)
            return rest[0], rest[1]
        raise pickle.UnpicklingError(f"it refers to {kind!r}")


def _refuse(path: Path, why: object) -> NoReturn:
    raise ExternalFileError(f"{path} cannot be read as weights ({why}): delete it and fetch the weights again")


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a saved state dict or of a whole pickled module (torch's format before 1.6), by their names.

    Errors: ExternalFileError if the file is missing, too large, broken, or asks for anything but what is admitted.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LIMIT:
            _refuse(path, f"more than {LIMIT} bytes")
        content = path.read_bytes()
    except OSError as error:
        _refuse(path, error.strerror)
    try:
        if content[:2] == b"PK":
            return dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        return _read_legacy(content)
    except ExternalFileError:
        raise
    except Exception as error:  # whatever a broken file provokes in a reader
        _refuse(path, str(error).split("\n")[0] or type(error).__name__)


def _read_legacy(content: bytes) -> dict[str, torch.Tensor]:
    """Four pickles (magic number, protocol, system, object), the list of storages, then the numbers of each storage."""
    stream = io.BytesIO(content)
    for _ in range(3):
        _Reader(stream).load()
    root = _Reader(stream).load()
    storages: dict[str, bytes] = {}
    tensors = dict(_tensors_of(root))
    kinds = {tensor.storage[1]: STORAGES[tensor.storage[0]] for tensor in tensors.values()}
    for key in _Reader(stream).load():
        count = int.from_bytes(stream.read(8), "little")
        size = count * kinds[key].itemsize
        storages[key] = stream.read(size)
        if len(storages[key]) != size:
            raise ValueError("it ends too early")
    return {name: _materialise(tensor, storages[tensor.storage[1]]) for name, tensor in tensors.items()}


def _tensors_of(node: Any, prefix: str = "") -> Iterator[tuple[str, _Tensor]]:
    if isinstance(node, _Tensor):
        yield prefix, node
    elif isinstance(node, Mapping):
        for name, value in node.items():
            yield from _tensors_of(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(node, _Module):
        for part in ("_parameters", "_buffers", "_modules"):
            yield from _tensors_of(node.state.get(part, {}), prefix)


def _materialise(tensor: _Tensor, content: bytes) -> torch.Tensor:
    numbers: np.ndarray[Any, Any] = np.frombuffer(content, STORAGES[tensor.storage[0]])
    values = torch.from_numpy(numbers.copy())
    return values.as_strided(tensor.shape, tensor.stride, tensor.offset).clone()
