"""A trained generator as an ONNX file: restores with onnxruntime alone, in any language, without PyTorch or Blindface.

Input `blind`: uint8 (N, S, S, 3) RGB, S the side of the model's blind images; output `restored`: uint8
(N, 128, 128, 3). Scaling, clipping and rounding are part of the graph, so images go in and come out.
"""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from blindface.base.errors import InputError
from blindface.base.files import atomic_path
from blindface.base.images import signed_to_uint8, to_signed
from blindface.networks.flow_restorer import FlowRestorer
from blindface.networks.model_file import Restoring, load_generator
from blindface.restoration.models import restore_images

PACKAGES = ("onnx", "onnxscript")
OPSET = 18


class _Images(nn.Module):
    """uint8 (N, S, S, 3) -> uint8 (N, 128, 128, 3)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, blind: Tensor) -> Tensor:
        restored: Tensor = self.network.restore(to_signed(blind), ())[-1]  # type: ignore[operator]
        return signed_to_uint8(restored)


def export_onnx(model: Path, output: Path, weights: str = "ema") -> int:
    """Write a generator file as ONNX, weights in float32, for any number of images at a time.

    The file is run by onnxruntime before it gets its name. Returns the largest difference of its images from
    PyTorch's on three random blind images, in levels of 255: rounding alone may make it 1.
    Errors: InputError for a flow, whose noise depends on the images' ids, for a missing package, or where the file
    does not restore as PyTorch does.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(f"{' and '.join(missing)} not installed: pip install 'blindface[onnx]'")
    network = load_generator(model, weights)
    if isinstance(network, FlowRestorer):
        raise InputError(f"{model} is a flow, which draws noise by image id and cannot be exported: give another model")
    blind = np.random.default_rng(0).integers(0, 256, (3, network.input_size, network.input_size, 3), dtype=np.uint8)
    with atomic_path(output) as temporary:
        _write(network, torch.from_numpy(blind[:2]), temporary)
        difference = np.abs(run_onnx(temporary, blind).astype(int) - restore_images(network, blind)[-1]).max()
        if difference > 1:
            raise InputError(f"{model} as ONNX is {difference} of 255 levels off: other versions of onnx may help")
    return int(difference)


def run_onnx(path: Path, blind: np.ndarray, threads: int = 0) -> np.ndarray:
    """Restore uint8 (N, S, S, 3) to (N, 128, 128, 3) by an exported file on the CPU; threads: 0 for all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    restored: np.ndarray = session.run(None, {"blind": blind})[0]
    return restored


def _write(network: Restoring, blind: Tensor, path: Path) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own use of what it deprecates
        torch.onnx.export(
            _Images(network).eval(),
            (blind,),
            str(path),
            dynamo=True,
            opset_version=OPSET,
            input_names=["blind"],
            output_names=["restored"],
            dynamic_shapes=({0: torch.export.Dim("images", min=1)},),
            external_data=False,
            verbose=False,
        )
