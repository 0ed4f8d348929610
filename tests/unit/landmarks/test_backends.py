"""The networks: read from files of the right form, refused otherwise, and with known answers."""

from __future__ import annotations

import copy
import os
import pickle
import sys
import tarfile
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from blindface.base.errors import ExternalFileError
from blindface.landmarks.choices import make_backend, make_detector
from blindface.landmarks.compressed_fan import CompressedFan, CompressedFanBackend, load_network
from blindface.landmarks.detection import make_faces
from blindface.landmarks.geometry import MIRRORED, five_points, scale_points
from blindface.landmarks.measure import five_point_errors, read_five_points
from blindface.landmarks.pfld import PfldBackend
from blindface.landmarks.pickled import read_tensors
from blindface.landmarks.stage import locate

KEPT = {"_parameters", "_buffers", "_modules", "training"}


@pytest.fixture
def network() -> CompressedFan:
    torch.manual_seed(4)
    made = CompressedFan()
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.5, 0.5)
            layer.running_var.uniform_(0.5, 2)
    return made.eval()


@pytest.fixture
def pickled(network: CompressedFan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The network as a whole module in torch's old format, its class named as in Kim et al.'s file."""
    module = types.ModuleType("fan_model")
    kind = type("fan_squeeze", (nn.Module,), {"__module__": "fan_model"})
    module.fan_squeeze = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fan_model", module)
    whole = kind()
    copied = copy.deepcopy(network)
    whole.conv, whole.layers = copied.conv, copied.layers
    for part in whole.modules():
        # what newer versions of torch add to a module, and the file of 2019 lacks
        part.__dict__ = {name: value for name, value in part.__dict__.items() if name in KEPT}
        part._parameters, part._buffers, part._modules = (
            dict(getattr(part, name)) for name in ("_parameters", "_buffers", "_modules")
        )
    path = tmp_path / "compressed_model_011000.pth"
    torch.save(whole, path, _use_new_zipfile_serialization=False)
    return path


def test_compressed_fan_has_the_published_number_of_parameters() -> None:
    # mirror/README: 321,412
    assert sum(parameter.numel() for parameter in CompressedFan().parameters()) == 321_412


def test_state_dict_and_pickled_module_give_the_same_network(
    network: CompressedFan, pickled: Path, tmp_path: Path
) -> None:
    expected = network.state_dict()
    zipped, legacy = tmp_path / "zip.pth", tmp_path / "legacy.pth"
    torch.save(expected, zipped)
    torch.save(expected, legacy, _use_new_zipfile_serialization=False)
    for path in (zipped, legacy, pickled):
        found = read_tensors(path)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items()), path.name


def test_fused_network_computes_the_same_heatmaps(network: CompressedFan, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "n.pth")
    pictures = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        # 1e-5: rounding of float32 over five layers
        assert torch.allclose(load_network(tmp_path / "n.pth")(pictures), network(pictures), atol=1e-5)


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch attacked",)


@pytest.mark.parametrize("form", ["plain", "legacy", "zip"])
def test_file_that_asks_for_more_than_tensors_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pth"
    if form == "plain":
        path.write_bytes(pickle.dumps(Attack()))
    else:
        torch.save({"conv.weight": Attack()}, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(ExternalFileError, match=r"bad.pth cannot be read as weights"):
        read_tensors(path)
    assert not (tmp_path / "attacked").exists()


def test_cut_foreign_or_missing_weights_are_refused(pickled: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pth"
    cut.write_bytes(pickled.read_bytes()[:-1000])
    other = tmp_path / "other.pth"
    torch.save(nn.Linear(2, 2).state_dict(), other)
    for path in (cut, other, tmp_path / "absent.pth"):
        with pytest.raises(ExternalFileError, match=path.name):
            load_network(path)


class Dots(nn.Module):
    """Heatmaps that are bright where the picture is, in each of 68 channels; `reduce` as 2DFAN-4's are."""

    def __init__(self, reduce: int) -> None:
        super().__init__()
        self.reduce = reduce

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        small = nn.functional.avg_pool2d(pictures.mean(1, keepdim=True), self.reduce)
        return small.expand(-1, 68, -1, -1).clone()


def dot(x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[:128, :128]
    bell = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 3.0**2))
    return np.repeat((bell * 250).round().astype(np.uint8)[..., None], 3, axis=2)


def test_compressed_fan_backend_answers_in_picture_pixels(network: CompressedFan, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "n.pth")
    backend = CompressedFanBackend(tmp_path / "n.pth", margin=0.25, batch_size=2)
    backend._network = Dots(1)
    centres = [(60.2, 71.7), (55.5, 60.1), (70.0, 66.3)]
    pictures = np.stack([dot(*centre) for centre in centres])
    points = backend(pictures, make_faces(np.tile([40.0, 45, 90, 95], (3, 1)), np.ones(3)))
    assert points[:, 30] == pytest.approx(np.array(centres), abs=0.1)
    assert backend(pictures[:0], np.empty((0, 15), np.float32)).shape == (0, 68, 2)


@pytest.fixture(scope="module")
def fan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2DFAN-4 with random weights, in the form of the file of face-alignment."""
    models = pytest.importorskip("face_alignment.models")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("fan") / "2DFAN4-11f355bf06.pth.tar"
    torch.save(models.FAN(4).state_dict(), path)
    return path


def test_fan_is_loaded_from_the_local_file_and_nothing_is_fetched(
    fan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    backend = make_backend("fan", fan_file, "yunet", 0.25)
    stored = torch.load(fan_file, weights_only=True)
    loaded = backend._network.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in stored.items())
    assert not (tmp_path / "hub").exists()
    pictures = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 3), np.uint8)
    points = backend(pictures, make_faces(np.array([[40.0, 45, 90, 95]]), np.ones(1)))
    assert points.shape == (1, 68, 2)
    assert np.isfinite(points).all()


def test_fan_of_the_wrong_form_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("face_alignment")
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "fan.pth")
    with pytest.raises(ExternalFileError, match="does not hold the weights of 2DFAN-4"):
        make_backend("fan", tmp_path / "fan.pth", "s3fd", 0.25)


def test_fan_backend_agrees_with_face_alignment_s_own_call_to_its_whole_pixels(
    fan_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    face_alignment = pytest.importorskip("face_alignment")
    for name in ("transform_np", "_get_preds_fromhm"):  # compiling them takes longer than the whole test
        monkeypatch.setattr(f"face_alignment.utils.{name}", getattr(face_alignment.utils, name).py_func)
    backend = make_backend("fan", fan_file, "s3fd", 0.25)
    backend._network = Dots(4)
    reference = face_alignment.FaceAlignment.__new__(face_alignment.FaceAlignment)
    reference.__dict__.update(
        face_alignment_net=Dots(4),
        device="cpu",
        dtype=torch.float32,
        flip_input=True,
        max_batch_size=1,
        landmarks_type=face_alignment.LandmarksType.TWO_D,
        face_detector=types.SimpleNamespace(reference_scale=195),
    )
    for x, y in ((60.2, 71.7), (52.8, 55.1), (81.4, 90.0)):
        picture, box = dot(x, y), [38.0, 40.0, 92.0, 104.0]
        theirs = reference.get_landmarks_from_image(picture, detected_faces=[[*box, 0.9]])[0][30]
        ours = backend(picture[None], make_faces(np.array([box]), np.ones(1)))[0, 30]
        assert ours == pytest.approx((x, y), abs=0.15)
        # theirs are rounded down twice, the corner of the crop and the point
        assert ours == pytest.approx(theirs, abs=1.5)


class Slope(nn.Module):
    """One peak, in the channel of point 36 of the straight picture and of point 45 of the mirrored one."""

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        maps = torch.zeros(len(pictures), 68, 64, 64)
        straight = bool(pictures[0, 0, :, :100].mean() > pictures[0, 0, :, 156:].mean())
        maps[:, 36 if straight else 45, 20, 10 if straight else 53] = 1
        return [torch.zeros_like(maps), maps]


def test_fan_s_mirrored_pass_is_turned_back_and_the_last_stage_counts(fan_file: Path) -> None:
    backend = make_backend("fan", fan_file, "none", 0.25)
    backend._network = Slope()
    picture = np.zeros((1, 128, 128, 3), np.uint8)
    picture[:, :, :60] = 200
    heatmaps = backend._heatmaps(torch.from_numpy(cv2.resize(picture[0], (256, 256))).permute(2, 0, 1)[None] / 255)
    assert heatmaps[0, 36, 20, 10] == 2
    assert heatmaps.sum() == 2
    assert MIRRORED[36] == 45


def test_broken_pfld_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pfld.onnx").write_bytes(b"no network")
    with pytest.raises(ExternalFileError, match=r"pfld.onnx cannot be read as the PFLD"):
        PfldBackend(tmp_path / "pfld.onnx", 0.2)


class FakePfld:
    def run(self, outputs: object, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        (batch,) = feed.values()
        assert batch.shape[1:] == (3, 112, 112)
        assert 0 <= batch.min() <= batch.max() <= 1
        return [np.tile(np.array([0.25, 0.75], np.float32), (len(batch), 68)).reshape(len(batch), 136)]


def test_pfld_s_shares_of_the_crop_become_picture_pixels() -> None:
    backend = PfldBackend.__new__(PfldBackend)
    backend.margin, backend.batch_size, backend._session, backend._input = 0.0, 2, FakePfld(), "input"
    points = backend(
        np.full((3, 128, 128, 3), 255, np.uint8), make_faces(np.tile([0.0, 0, 80, 80], (3, 1)), np.ones(3))
    )
    assert points[2, 7] == pytest.approx((19.5, 59.5))  # the box's outer edges lie at -0.5 and 79.5


PICTURES = 24


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("backend", "file", "margin", "limit"),
    # limits: measured 0.063 and 0.072 on these photographs, and room for other versions of the libraries
    [
        ("compressed_fan", "compressed_fan_state_dict.derived.pth", 0.25, 0.08),
        ("pfld", "pfld68.cunjian.onnx", 0.2, 0.1),
    ],
)
def test_real_faces_are_found_near_the_points_of_others(
    mirror: Path, backend: str, file: str, margin: float, limit: float
) -> None:
    reference = read_five_points(mirror / "lfw/lfw_landmark5.txt")
    names, pictures = [], []
    with tarfile.open(mirror / "lfw/lfw-original-150.tar") as tar:
        for member in tar:
            if member.name.endswith(".jpg"):
                content = np.frombuffer(tar.extractfile(member).read(), np.uint8)  # type: ignore[union-attr]
                picture = cv2.cvtColor(cv2.imdecode(content, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
                pictures.append(cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA))
                names.append("/".join(Path(member.name).with_suffix("").parts[-2:]))
            if len(names) == PICTURES:
                break
    detector = make_detector("yunet", mirror / "weights/yunet_s_640_640.onnx", 0.5, workers=2)
    # noise between the faces: a batch with and without
    pictures[5] = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    images = np.stack(pictures)
    network = make_backend(backend, mirror / "weights" / file, "yunet", margin)
    result = locate(images, detector(images), network)
    assert result.found.sum() == PICTURES - 1
    assert not result.found[5]
    theirs = scale_points(np.stack([reference[name] for name in names]), 128 / 250)[result.found]
    errors = five_point_errors(five_points(result.points_128[result.found]), theirs)
    assert errors["median"] < limit
    assert abs(np.nanmedian(result.yaw)) < 15
