from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.io
from numpy.typing import NDArray
from typer.testing import CliRunner

from blindface.base.errors import ExternalFileError, InputError
from blindface.base.files import read_json, write_json
from blindface.base.image_table import ImageTableWriter, read_table
from blindface.base.images import Image
from blindface.cli.app import app
from blindface.evaluation import meters
from blindface.evaluation import stage as stage
from blindface.evaluation.stage import evaluate
from blindface.external.weights import Weights
from blindface.metrics.psnr import psnr, psnr_batch
from blindface.params import EvaluateParams
from tests.unit.pictures import noisy, textured

PARAMS = EvaluateParams(lpips="squeeze", frechet="mobilefacenet", batch_size=4, bootstrap=50, device="cpu")
NOTHING = Weights.load(None)


@dataclass
class Files:
    """The inputs of an evaluation: ten targets, of which the last nine are restored."""

    folder: Path
    pictures: Image
    damaged: Image

    @property
    def ids(self) -> list[str]:
        return [f"p/{number:03d}" for number in range(len(self.pictures))]

    def run(self, params: EvaluateParams = PARAMS, weights: Weights = NOTHING, **paths: Any) -> dict[str, Any]:
        chosen = {"restored": self.folder / "restored", "targets": self.folder / "targets", "landmarks": None} | paths
        output = {"images_out": self.folder / "scores.parquet", "output": self.folder / "scores.json"}
        return evaluate(weights=weights, params=params, method="ours", **(output | chosen))


def _pack(path: Path, column: str, ids: Sequence[str], images: Image) -> Path:
    with ImageTableWriter(path, {"id": pa.string()}, {column: images.shape[1:]}) as writer:
        writer.append({"id": list(ids)}, {column: images})
    return path


def _landmarks(path: Path, ids: Sequence[str], found: Sequence[bool]) -> Path:
    columns = {"id": pa.string(), "found": pa.bool_()}
    columns |= dict.fromkeys(("points_128", "points_64"), pa.list_(pa.float32(), 136))
    with ImageTableWriter(path, columns) as writer:
        points = [np.arange(136, dtype=np.float32) if one else np.full(136, np.nan, np.float32) for one in found]
        writer.append({"id": list(ids), "found": list(found), "points_128": points, "points_64": points}, {})
    return path


def _manifest(folder: Path, files: dict[str, Path | str]) -> Weights:
    entries = {
        name: {"missing": file}
        if isinstance(file, str)
        else {"file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for name, file in files.items()
    }
    write_json(folder / "manifest.json", {"files": entries})
    return Weights.load(folder / "manifest.json")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    pictures = textured(10)
    made = Files(tmp_path, pictures, noisy(pictures, 12))
    _pack(tmp_path / "targets", "target", made.ids, pictures)
    _pack(tmp_path / "restored", "image", made.ids[1:], made.damaged[1:])
    return made


def test_values_belong_to_the_images_of_the_same_id(files: Files) -> None:
    files.run()
    table = read_table(files.folder / "scores.parquet")
    assert table["id"].tolist() == files.ids[1:]
    assert table["psnr"].to_numpy() == pytest.approx(psnr(files.damaged[1:], files.pictures[1:]).numpy())


def test_the_batch_psnr_is_that_of_whole_batches_in_file_order(files: Files) -> None:
    entry = files.run()["metrics"]["psnr_batch"]
    batches = [psnr_batch(files.damaged[place : place + 4], files.pictures[place : place + 4]) for place in (1, 5)]
    assert entry["batch_mean"] == pytest.approx(np.mean(batches), abs=1e-6)
    assert entry["batch_std"] == pytest.approx(np.std(batches, ddof=1), abs=1e-6)
    assert entry["image_mean"] is None


def test_the_interval_holds_the_mean_over_all_images(files: Files) -> None:
    entry = files.run()["metrics"]["ssim"]
    table = read_table(files.folder / "scores.parquet")
    assert entry["image_mean"] == pytest.approx(table["ssim"].mean(), abs=1e-6)
    assert entry["interval"][0] < entry["image_mean"] < entry["interval"][1]
    assert entry["counted"] == 9


def test_what_needs_missing_weights_has_no_number_but_the_reason(files: Files) -> None:
    weights = _manifest(files.folder, {"squeezenet1_1": "the network is down"})
    content = files.run(weights=weights)
    entry = content["metrics"]["lpips_squeeze"]
    assert (entry["batch_mean"], entry["image_mean"], entry["unavailable"]) == (None, None, "the network is down")
    assert "not in the manifest" in content["metrics"]["niqe"]["unavailable"]
    assert "--landmarks" in content["metrics"]["identity"]["unavailable"]
    assert "lpips_squeeze" not in read_table(files.folder / "scores.parquet").columns
    assert content["backbones"] == {}


def test_a_weight_file_that_changed_since_it_was_fetched_stops_the_run(files: Files) -> None:
    path = files.folder / "model.mat"
    path.write_bytes(b"one")
    weights = _manifest(files.folder, {"niqe": path})
    path.write_bytes(b"two")
    with pytest.raises(ExternalFileError, match="has changed"):
        files.run(weights=weights)
    assert not (files.folder / "scores.json").exists()


def test_niqe_counts_and_its_model_is_named_by_hash(files: Files) -> None:
    path = files.folder / "model.mat"
    scipy.io.savemat(path, {"mu_prisparam": np.zeros((1, 36)), "cov_prisparam": np.eye(36)})
    content = files.run(weights=_manifest(files.folder, {"niqe": path}))
    assert content["metrics"]["niqe"]["image_mean"] > 0
    assert content["backbones"] == {"niqe": hashlib.sha256(path.read_bytes()).hexdigest()}


class MeanColour:
    """An embedder with a known answer: the mean colour, and 500 more in its first number where no face was found."""

    def embed(self, images: Image, points: NDArray[np.float32], found: NDArray[np.bool_]) -> NDArray[np.float32]:
        assert points.shape == (len(images), 68, 2)
        colours = images.mean(axis=(1, 2)).astype(np.float32)
        colours[:, 0] += np.where(found, 0, 500)
        return colours


def test_identity_and_frechet_distance_see_found_faces_only(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "_embedder", lambda path, device, threads: MeanColour())
    model = files.folder / "face.onnx"
    model.write_bytes(b"a network")
    found = [True] * 10
    found[3] = False
    landmarks = _landmarks(files.folder / "landmarks", files.ids, found)
    shifted = _pack(files.folder / "shifted", "image", files.ids, np.clip(files.pictures, 20, 235) - 20)
    exact = _pack(files.folder / "exact", "image", files.ids, np.clip(files.pictures, 20, 235))
    targets = _pack(files.folder / "clipped", "target", files.ids, np.clip(files.pictures, 20, 235))
    weights = _manifest(files.folder, {"mobilefacenet": model})

    metrics = files.run(weights=weights, restored=shifted, targets=targets, landmarks=landmarks)["metrics"]
    # the colour of every image moves by 20 in three numbers
    assert metrics["frechet_face_distance"]["batch_mean"] == pytest.approx(3 * 20**2, rel=1e-4)
    assert metrics["frechet_face_distance"]["batch_std"] is None
    assert metrics["identity"]["counted"] == 9
    assert np.isnan(read_table(files.folder / "scores.parquet")["identity"][3])

    metrics = files.run(weights=weights, restored=exact, targets=targets, landmarks=landmarks)["metrics"]
    assert metrics["frechet_face_distance"]["batch_mean"] == pytest.approx(0, abs=1e-3)
    assert metrics["identity"]["image_mean"] == pytest.approx(1)


def test_without_any_found_face_both_say_so(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "_embedder", lambda path, device, threads: MeanColour())
    model = files.folder / "face.onnx"
    model.write_bytes(b"a network")
    landmarks = _landmarks(files.folder / "landmarks", files.ids, [False] * 10)
    metrics = files.run(weights=_manifest(files.folder, {"mobilefacenet": model}), landmarks=landmarks)["metrics"]
    assert "no face was found" in metrics["identity"]["unavailable"]
    assert "found face" in metrics["frechet_face_distance"]["unavailable"]


def test_a_rerun_and_another_size_of_stacks_give_the_same_bytes(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.run()
    first = [(files.folder / name).read_bytes() for name in ("scores.parquet", "scores.json")]
    files.run()
    assert [(files.folder / name).read_bytes() for name in ("scores.parquet", "scores.json")] == first
    monkeypatch.setitem(stage.STACK, "cpu", 2)
    files.run()
    assert (files.folder / "scores.json").read_bytes() == first[1]


def test_every_entry_has_the_same_keys_and_a_protocol(files: Files) -> None:
    metrics = files.run()["metrics"]
    keys = {tuple(entry) for entry in metrics.values()}
    assert len(keys) == 1
    assert all(entry["protocol"] and entry["better"] in ("higher", "lower") for entry in metrics.values())
    assert list(metrics)[:2] == ["psnr_batch", "psnr"]


def test_the_libraries_behind_the_numbers_are_named_with_their_versions(files: Files) -> None:
    versions = files.run()["versions"]
    assert versions["torch"] == version("torch")
    assert {"python", "blindface", "numpy", "lpips", "pytorch-fid"} <= set(versions)


def test_files_that_do_not_fit_are_refused_in_one_sentence(files: Files) -> None:
    folder, ids = files.folder, files.ids
    short = _pack(folder / "short", "target", ids[:8], files.pictures[:8])
    with pytest.raises(InputError, match=r"lacks 2 of the 9 images of .*first p/008"):
        files.run(targets=short)
    turned = _pack(folder / "turned", "image", ids[::-1], files.damaged)
    with pytest.raises(InputError, match="not sorted or not unique"):
        files.run(restored=turned)
    small = _pack(folder / "small", "image", ids, files.damaged[:, :64, :64])
    with pytest.raises(InputError, match=r"64x64 px, .* of 128x128"):
        files.run(restored=small)
    with pytest.raises(InputError, match="no image column 'image'"):
        files.run(restored=folder / "targets")
    empty = _pack(folder / "empty", "image", [], files.damaged[:0])
    with pytest.raises(InputError, match="holds no image"):
        files.run(restored=empty)
    few = _landmarks(folder / "few", ids[:5], [True] * 5)
    with pytest.raises(InputError, match="lacks the landmarks of 5 images, first p/005"):
        files.run(landmarks=few)
    assert not (folder / "scores.json").exists()


def test_the_command_writes_both_files_and_names_what_is_missing(files: Files) -> None:
    import blindface.cli.evaluate  # noqa: F401

    folder = files.folder
    outcome = CliRunner().invoke(
        app,
        [
            *("evaluate", "--method", "ours", "--restored", f"{folder}/restored", "--targets", f"{folder}/targets"),
            *("--images", f"{folder}/a.parquet", "--output", f"{folder}/a.json"),
            *("--params", '{"evaluate": {"bootstrap": 10, "device": "cpu", "lpips": "squeeze"}}'),
        ],
    )
    assert outcome.exit_code == 0, outcome.output
    assert "lpips_squeeze n/a" in outcome.output
    assert read_json(folder / "a.json")["images"] == 9
    assert (folder / "a.parquet").is_file()


@pytest.mark.mirror
def test_lpips_and_niqe_are_numbers_with_the_small_weights(files: Files, mirror: Path) -> None:
    folder = mirror / "weights"
    names = {"squeezenet1_1": "squeezenet1_1_features.derived.pth", "niqe": "niqe_modelparameters.mat"}
    weights = _manifest(files.folder, {name: folder / file for name, file in names.items()})
    metrics = files.run(weights=weights)["metrics"]
    assert 0 < metrics["lpips_squeeze"]["image_mean"] < 1
    assert 1 < metrics["niqe"]["image_mean"] < 100


@pytest.mark.mirror
def test_copies_of_the_targets_are_the_same_people_to_the_real_embedding(files: Files, mirror: Path) -> None:
    weights = _manifest(files.folder, {"mobilefacenet": mirror / "weights" / "MobileFaceNet.foamliu.onnx"})
    landmarks = _landmarks(files.folder / "landmarks", files.ids, [True] * 10)
    copies = _pack(files.folder / "copies", "image", files.ids, files.pictures)
    same = files.run(weights=weights, landmarks=landmarks, restored=copies)["metrics"]
    other = files.run(weights=weights, landmarks=landmarks)["metrics"]
    assert same["identity"]["image_mean"] == pytest.approx(1)
    assert same["frechet_face_distance"]["batch_mean"] == pytest.approx(0, abs=1e-6)
    assert other["identity"]["image_mean"] < 1
    assert other["frechet_face_distance"]["batch_mean"] > 0
