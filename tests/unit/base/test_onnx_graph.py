"""The ONNX reader: a small file made by hand with a known answer, files that are refused, and the real embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from blindface.base.errors import ExternalFileError
from blindface.base.onnx_graph import OnnxNetwork
from blindface.base.randomness import generator
from blindface.evaluation.faces import FaceEmbedder
from tests.unit.pictures import textured

WEIGHT = generator(1, "weight").normal(size=(2, 3, 3, 3)).astype(np.float32)
BIAS = np.float32([0.5, -0.25])


def varint(number: int) -> bytes:
    number %= 1 << 64
    result = b""
    while number > 127:
        result, number = result + bytes([number & 127 | 128]), number >> 7
    return result + bytes([number])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name: str, values: np.ndarray) -> bytes:
    kind = {"float32": 1, "int64": 7}[values.dtype.name]
    dimensions = b"".join(field(1, size) for size in values.shape)
    return dimensions + field(2, kind) + field(8, name) + field(9, values.tobytes())


def node(operator: str, inputs: list[str], output: str, **attributes: list[int] | int | np.ndarray) -> bytes:
    content = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operator)
    for name, value in attributes.items():
        if isinstance(value, np.ndarray):
            inside = field(5, tensor("", value))
        elif isinstance(value, list):
            inside = field(8, b"".join(map(varint, value)))  # packed
        else:
            inside = field(3, value)
        content += field(5, field(1, name) + inside)
    return content


def model(*nodes: bytes) -> bytes:
    graph = b"".join(field(1, one) for one in nodes)
    graph += field(5, tensor("w", WEIGHT)) + field(5, tensor("b", BIAS))
    return field(1, 8) + field(7, graph + field(11, field(1, "x")) + field(12, field(1, "y")))


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_small_network_gives_what_its_definition_says(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.onnx",
        model(
            node("Constant", [], "low", value=np.array(0.0, np.float32)),
            node("Constant", [], "high", value=np.array(1.5, np.float32)),
            node("Constant", [], "shape", value=np.array([1, -1])),
            node("Conv", ["x", "w", "b"], "c", pads=[0, 0, 1, 1], strides=[2, 2], dilations=[1, 1], group=1),
            node("Clip", ["c", "low", "high"], "d"),
            node("Relu", ["c"], "r"),
            node("Add", ["d", "r"], "s"),
            node("Reshape", ["s", "shape"], "y"),
        ),
    )
    batch = torch.from_numpy(generator(2, "batch").normal(size=(3, 3, 8, 8)).astype(np.float32))
    convolved = F.conv2d(F.pad(batch, (0, 1, 0, 1)), torch.from_numpy(WEIGHT), torch.from_numpy(BIAS), 2)
    expected = (convolved.clamp(0, 1.5) + convolved.relu()).flatten(1)
    found = OnnxNetwork(path)(batch)
    # the file was exported for a batch of one; three images stay three rows
    assert found.shape == (3, 32)
    torch.testing.assert_close(found, expected)


def test_what_is_not_known_is_refused_and_so_is_what_is_no_network(tmp_path: Path) -> None:
    strange = write(tmp_path / "strange.onnx", model(node("Softmax", ["x"], "y")))
    with pytest.raises(ExternalFileError, match=r"not known here \(Softmax\)"):
        OnnxNetwork(strange)
    whole = model(node("Relu", ["x"], "y"))
    for name, content in (("cut", whole[:-9]), ("text", b"not a network at all"), ("empty", b"")):
        with pytest.raises(ExternalFileError, match=f"{name}.onnx is no ONNX network"):
            OnnxNetwork(write(tmp_path / f"{name}.onnx", content))


@pytest.mark.mirror
def test_the_embedding_is_that_of_onnxruntime(mirror: Path) -> None:
    path = mirror / "weights" / "MobileFaceNet.foamliu.onnx"
    embedder, pictures = FaceEmbedder(path, 1), textured(3)
    points = generator(3, "points").uniform(30, 90, (3, 68, 2)).astype(np.float32)
    found = np.array([True, True, False])
    expected = embedder.embed(pictures, points, found)
    embedder._network, embedder._device = OnnxNetwork(path), torch.device("cpu")
    assert embedder.embed(pictures, points, found) == pytest.approx(expected, abs=1e-5)
