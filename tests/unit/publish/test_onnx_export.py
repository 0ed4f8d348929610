"""A generator as ONNX restores as PyTorch does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from blindface.base.errors import InputError
from blindface.networks.flow_restorer import FlowRestorer
from blindface.networks.generator import Generator
from blindface.networks.model_file import load_generator, save_generator
from blindface.networks.unet import RestorationUNet
from blindface.publish import onnx_export
from blindface.publish.onnx_export import export_onnx, run_onnx
from blindface.restoration.models import restore_images

NARROW: dict[str, Any] = {"channels": [8, 8], "blocks": [1, 1]}


def write(path: Path, network: Any, recipe: str) -> Path:
    """A generator file with random weights, none of them zero."""
    torch.manual_seed(4)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.05 * torch.randn_like(value))
    save_generator(path, {"ema": network.state_dict()}, network.arguments, recipe=recipe)
    return path


@pytest.mark.parametrize(
    ("network", "recipe"),
    [
        (RestorationUNet(**NARROW, input_size=16), "gan"),
        (RestorationUNet(**NARROW, stem=2), "mean"),
        (Generator(8), "progressive"),
    ],
    ids=["objective 1", "objective 2", "progressive"],
)
def test_an_exported_model_restores_any_number_of_images_as_pytorch_does(
    network: Any, recipe: str, tmp_path: Path
) -> None:
    model = write(tmp_path / "generator.safetensors", network, recipe)
    assert export_onnx(model, tmp_path / "model.onnx") <= 1
    loaded = load_generator(model)
    for count in (1, 5):
        side = loaded.input_size
        blind = np.random.default_rng(count).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
        found, expected = run_onnx(tmp_path / "model.onnx", blind, 1), restore_images(loaded, blind)[-1]
        assert found.dtype == np.uint8
        assert found.shape == expected.shape == (count, 128, 128, 3)
        assert np.abs(found.astype(int) - expected).max() <= 1
        assert expected.std() > 10


def test_a_flow_is_refused(tmp_path: Path) -> None:
    model = write(tmp_path / "flow.safetensors", FlowRestorer({**NARROW, "input_size": 16}, NARROW), "flow")
    with pytest.raises(InputError, match="draws noise by image id"):
        export_onnx(model, tmp_path / "flow.onnx")
    assert not (tmp_path / "flow.onnx").exists()


def test_a_file_that_restores_otherwise_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = write(tmp_path / "generator.safetensors", RestorationUNet(**NARROW, input_size=16), "gan")
    monkeypatch.setattr(onnx_export, "_write", lambda network, blind, path: path.write_bytes(b""))
    monkeypatch.setattr(onnx_export, "run_onnx", lambda *_: np.zeros((3, 128, 128, 3), np.uint8))
    with pytest.raises(InputError, match="of 255 levels off"):
        export_onnx(model, tmp_path / "model.onnx")
    assert list(tmp_path.glob("*.onnx")) == []


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"onnx and onnxscript not installed: pip install 'blindface\[onnx\]'"):
        export_onnx(tmp_path / "generator.safetensors", tmp_path / "model.onnx")
