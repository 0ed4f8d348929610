"""pyiqa's metrics by name: what they may read, and what they may not do."""

from __future__ import annotations

import importlib.util
import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from blindface.base.errors import ExternalFileError, ParameterError
from blindface.base.files import sha256_file, write_json
from blindface.base.pyiqa_table import pyiqa_table
from blindface.external.finder import Finder
from blindface.external.manifest import write_manifest
from blindface.external.weights import Weights
from blindface.metrics.pyiqa_metric import LackingFileError, PyiqaMetric, _only, gather_files, load_metric
from blindface.params import validate
from tests.unit.pictures import noisy, textured

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pyiqa") is None, reason="pyiqa is not installed")
CHECKPOINT = "CNNIQA_koniq10k-e6f14c91.pth"
NAME = "pyiqa_cnniqa"


def _checkpoint(folder: Path) -> Path:
    """Drawn weights in the form that pyiqa's smallest network reads."""
    from blindface.base.torchvision_repair import repair

    repair()
    from pyiqa.archs.cnniqa_arch import CNNIQA

    torch.manual_seed(3)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"params": CNNIQA(pretrained=None).state_dict()}, folder / CHECKPOINT)
    return folder / CHECKPOINT


@pytest.mark.parametrize("name", ["fsim", "vif", "gmsd"])
def test_full_reference_metrics_are_best_for_the_target_itself(name: str) -> None:
    metric, pictures = PyiqaMetric(name), textured(3)
    own, damaged = metric(pictures, pictures), metric(noisy(pictures, 25), pictures)
    lower = pyiqa_table()[name].better == "lower"  # type: ignore[index]
    assert own.numpy() == pytest.approx(0.0 if lower else 1.0, abs=1e-4)
    assert ((damaged > own) == lower).all()


def test_a_misspelt_name_is_one_sentence_with_the_nearest_ones() -> None:
    with pytest.raises(ParameterError, match="pyiqa has no metric 'fsmi': the nearest are fsim") as error:
        validate({"evaluate": {"pyiqa": ["vif", "fsmi"]}})
    assert len(str(error.value)) < 300
    with pytest.raises(ParameterError, match="'fid' has no value per image"):
        validate({"evaluate": {"pyiqa": ["fid"]}})
    with pytest.raises(ParameterError, match="vif is there twice"):
        validate({"evaluate": {"pyiqa": ["vif", "vif"]}})
    assert validate({"evaluate": {"pyiqa": ["topiq_nr-face", "clipiqa+"]}}).evaluate.pyiqa


def test_reading_the_names_does_not_import_pyiqa() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from blindface.params import validate; validate({'evaluate': {'pyiqa': ['vif']}});"
        "sys.exit(any(name in sys.modules for name in ('pyiqa', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_is_fetched_and_the_file_is_named_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **_: asked.append(given))
    with pytest.raises(LackingFileError, match=r"CNNIQA_koniq10k.* \(https://"):
        PyiqaMetric("cnniqa")
    with pytest.raises(LackingFileError, match="vgg16-397923af"):
        PyiqaMetric("dists")
    assert asked == []


def test_a_backbone_starts_without_weights_so_that_none_is_ever_random() -> None:
    PyiqaMetric("vif")  # imports what the guard replaces
    import timm

    with _only({}):
        asked = timm.create_model("resnet18", pretrained=True)
        plain = timm.create_model("resnet18", pretrained=False)
    assert all(torch.isnan(value).all() for value in asked.parameters())
    assert all(torch.isfinite(value).all() for value in plain.parameters())


def test_a_file_at_hand_is_laid_out_pinned_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _checkpoint(tmp_path / "mirror")
    # the name carries the digits of the real file's hash: a drawn one has to be called otherwise
    monkeypatch.setattr(Finder, "_believed", staticmethod(lambda path, known: True))
    finder = Finder(tmp_path / "mirror", tmp_path / "cache", network=False)
    params = validate({"fetch": {"missing": "skip"}, "evaluate": {"pyiqa": ["cnniqa", "musiq"]}})
    files = write_manifest(params, tmp_path / "out" / "manifest.json", finder, "evaluate", gather_files)
    assert files[f"{NAME}/{CHECKPOINT}"] == {"file": f"{NAME}/{CHECKPOINT}", "sha256": sha256_file(path)}
    assert "musiq_koniq" in files["pyiqa_musiq"]["missing"]
    weights = Weights.load(tmp_path / "out" / "manifest.json")
    metric = load_metric("cnniqa", weights, NAME, torch.device("cpu"))
    assert np.isfinite(metric(textured(2)).numpy()).all()
    (tmp_path / "out" / NAME / CHECKPOINT).write_bytes(b"another")
    with pytest.raises(ExternalFileError, match="has changed"):
        load_metric("cnniqa", Weights.load(tmp_path / "out" / "manifest.json"), NAME, torch.device("cpu"))


def test_a_file_whose_name_carries_another_hash_is_passed_over(tmp_path: Path) -> None:
    _checkpoint(tmp_path / "mirror")
    finder = Finder(tmp_path / "mirror", tmp_path / "cache", network=False)
    assert finder.loose(CHECKPOINT) is None


def test_a_missing_file_is_an_error_where_missing_files_are(tmp_path: Path) -> None:
    finder = Finder(tmp_path, tmp_path / "cache", network=False)
    params = validate({"fetch": {"missing": "error"}, "evaluate": {"pyiqa": ["cnniqa"]}})
    # the files of the registry are missing too: only this metric's are asked for here
    registry = finder.registry
    object.__setattr__(finder, "registry", type(registry)(files={}))
    with pytest.raises(ExternalFileError, match=rf"{CHECKPOINT}.*BLINDFACE_MIRROR.*fetch.missing"):
        write_manifest(params, tmp_path / "manifest.json", finder, "evaluate", gather_files)


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (eval, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save({"params": Evil()}, tmp_path / CHECKPOINT)
    with pytest.raises(Exception, match=r"[Ww]eights"):
        PyiqaMetric("cnniqa", files={CHECKPOINT: tmp_path / CHECKPOINT})
    assert not (tmp_path / "ran").exists()


def test_an_image_that_a_metric_cannot_take_has_no_value_and_the_reason_is_kept() -> None:
    metric = PyiqaMetric("ms_ssim")
    pictures = textured(2)
    assert torch.isnan(metric(noisy(pictures, 5), pictures)).all()
    assert "Kernel size" in str(metric.failure)


def test_a_manifest_without_the_metric_says_what_to_run(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", {"files": {}})
    with pytest.raises(Exception, match="run 'blindface weights'"):
        load_metric("cnniqa", Weights.load(tmp_path / "manifest.json"), NAME, torch.device("cpu"))
    assert json.loads((tmp_path / "manifest.json").read_text()) == {"files": {}}
