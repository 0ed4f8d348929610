"""The perceptual loss, on files of the right form with random weights, and on the real normalised file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blindface.base.errors import ExternalFileError, ParameterError
from blindface.losses import PerceptualLoss
from blindface.losses.vgg import BLOCKS, VGG19, Backbone, layer_names

WIDTHS = (64, 128, 256, 512, 512)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[Backbone, Path]:
    """Weight files in the two forms, up to the third block; keys written out as the real files have them."""
    torch.manual_seed(0)
    places: dict[Backbone, list[str]] = {
        "vgg19": [f"features.{n}" for n in (0, 2, 5, 7, 10, 12, 14, 16)],
        "vgg19_normalised": [str(n) for n in (2, 5, 9, 12, 16)],
    }
    blocks = [width for width, count in zip(WIDTHS, BLOCKS, strict=True) for _ in range(count)]
    folder, result = tmp_path_factory.mktemp("weights"), {}
    for backbone, keys in places.items():
        state = {}
        inputs = 3
        for key, width in zip(keys, blocks, strict=False):
            state[f"{key}.weight"] = torch.randn(width, inputs, 3, 3) * (2 / (9 * inputs)) ** 0.5
            state[f"{key}.bias"] = torch.randn(width) * 0.1
            inputs = width
        if backbone == "vgg19_normalised":
            # RGB in [0, 1] to BGR levels around their means, as in the real file
            state["0.weight"] = (torch.eye(3).flip(0) * 255).reshape(3, 3, 1, 1)
            state["0.bias"] = -torch.tensor([103.939, 116.779, 123.68])
            state["2.weight"] /= 60
        result[backbone] = folder / f"{backbone}.pth"
        torch.save(state, result[backbone])
    return result


def _images(count: int, size: int, kind: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(count, 3, size, size, dtype=kind) * 2 - 1


@pytest.mark.parametrize("backbone", ["vgg19", "vgg19_normalised"])
def test_loss_is_zero_on_equal_images_and_positive_otherwise(files: dict[Backbone, Path], backbone: Backbone) -> None:
    loss = PerceptualLoss(backbone, ["relu1_1", "relu2_2", "relu3_1"], files[backbone])
    images = _images(2, 32)
    assert loss(images, images).item() == 0
    assert loss(images, images + 0.1).item() > 0


def test_features_equal_torchvisions_vgg19(files: dict[Backbone, Path]) -> None:
    from blindface.base.torchvision_repair import repair

    repair()
    from torchvision.models import vgg19

    network = vgg19().features[:18].eval()
    state = torch.load(files["vgg19"], weights_only=True)
    network.load_state_dict({key.removeprefix("features."): value for key, value in state.items()})
    images = _images(2, 32)
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)  # torchvision's documented preprocessing
    deviation = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    x = ((images + 1) / 2 - mean) / deviation
    ours = VGG19("vgg19", ["relu1_2", "relu3_4"], files["vgg19"])(images)
    torch.testing.assert_close(ours[0], network[:4](x))
    torch.testing.assert_close(ours[1], network(x), atol=1e-4, rtol=1e-4)


def test_features_equal_the_normalised_file_layer_by_layer(files: dict[Backbone, Path]) -> None:
    state = torch.load(files["vgg19_normalised"], weights_only=True)
    images = _images(2, 32, torch.float64)
    x = F.conv2d((images + 1) / 2, state["0.weight"].double(), state["0.bias"].double())
    for place, pool in ((2, False), (5, True), (9, False), (12, True), (16, False)):
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        x = F.relu(F.conv2d(x, state[f"{place}.weight"].double(), state[f"{place}.bias"].double()))
        x = F.max_pool2d(x, 2) if pool else x
    ours = VGG19("vgg19_normalised", ["relu3_1"], files["vgg19_normalised"]).double()(images)[0]
    torch.testing.assert_close(ours, x, atol=1e-4, rtol=1e-4)


def test_loss_is_the_sum_over_layers_of_mean_absolute_differences(files: dict[Backbone, Path]) -> None:
    output, target = _images(1, 32), _images(1, 32)
    each = [PerceptualLoss("vgg19", [layer], files["vgg19"])(output, target) for layer in ("relu1_2", "relu2_1")]
    both = PerceptualLoss("vgg19", ["relu1_2", "relu2_1"], files["vgg19"])(output, target)
    torch.testing.assert_close(both, each[0] + each[1])


def test_gradient_equals_finite_differences(files: dict[Backbone, Path]) -> None:
    torch.manual_seed(0)
    loss = PerceptualLoss("vgg19", ["relu1_2", "relu2_1"], files["vgg19"]).double()
    output, target = _images(1, 16, torch.float64).requires_grad_(), _images(1, 16, torch.float64)
    (gradient,) = torch.autograd.grad(loss(output, target), output)
    # Where the loss changes most: elsewhere the change may be as small as what one kink of a ReLU in between adds
    direction = gradient / gradient.norm()
    with torch.no_grad():
        change = (loss(output + 1e-6 * direction, target) - loss(output - 1e-6 * direction, target)) / 2e-6
    assert (gradient * direction).sum().item() == pytest.approx(change.item(), rel=1e-3)


def test_backbone_is_frozen_and_stays_in_evaluation_mode(files: dict[Backbone, Path]) -> None:
    loss = PerceptualLoss("vgg19", ["relu1_1"], files["vgg19"]).train()
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    assert not loss.features.training


def test_layer_names_are_vgg19s() -> None:
    assert layer_names("vgg19")[-1] == "relu5_4"
    assert len(layer_names("vgg19")) == 16  # VGG19: 16 convolutions and 3 linear layers
    assert layer_names("vgg19_normalised") == ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1"]


def test_a_layer_that_the_backbone_lacks_is_refused_with_those_it_has(files: dict[Backbone, Path]) -> None:
    with pytest.raises(ParameterError, match=r"does not have relu4_2; it has relu1_1, .*relu3_1"):
        PerceptualLoss("vgg19_normalised", ["relu1_1", "relu4_2"], files["vgg19_normalised"])


def test_no_layers_are_refused(files: dict[Backbone, Path]) -> None:
    with pytest.raises(ParameterError, match="at least one layer"):
        PerceptualLoss("vgg19", [], files["vgg19"])


def test_wrong_weight_files_are_refused(files: dict[Backbone, Path], tmp_path: Path) -> None:
    with pytest.raises(ExternalFileError, match="missing"):
        PerceptualLoss("vgg19", ["relu1_1"], tmp_path / "none.pth")
    with pytest.raises(ExternalFileError, match=r"features\.0\.weight is not in it"):
        PerceptualLoss("vgg19", ["relu1_1"], files["vgg19_normalised"])
    (tmp_path / "broken.pth").write_bytes(b"<html>not weights</html>")
    with pytest.raises(ExternalFileError, match="fetch it again"):
        PerceptualLoss("vgg19", ["relu1_1"], tmp_path / "broken.pth")
    torch.save(nn.Linear(1, 1), tmp_path / "pickled.pth")  # a module: would run code
    with pytest.raises(ExternalFileError, match="fetch it again"):
        PerceptualLoss("vgg19", ["relu1_1"], tmp_path / "pickled.pth")


@pytest.mark.mirror
def test_normalised_weights_have_mean_activations_near_one(mirror: Path) -> None:
    """By construction each filter's mean activation over natural images is 1; this tells order and range of the input.

    Over 32 photographs the filters of block 1 are 0.14 to 0.17 off on average; 0.28 to 0.44 with red and blue swapped.
    """
    import io
    import tarfile

    import cv2
    import numpy as np

    from blindface.base.images import to_signed

    photographs = []
    with tarfile.open(mirror / "lfw" / "lfw-original-150.tar") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".jpg"):
                content = io.BytesIO(archive.extractfile(member).read())  # type: ignore[union-attr]
                photograph = cv2.imdecode(np.frombuffer(content.getvalue(), np.uint8), cv2.IMREAD_COLOR)
                photographs.append(cv2.resize(photograph, (128, 128))[:, :, ::-1])
            if len(photographs) == 32:
                break
    images = to_signed(torch.from_numpy(np.stack(photographs)))
    weights = mirror / "weights" / "vgg19_normalised_conv3_1.pth"
    for features in VGG19("vgg19_normalised", ["relu1_1", "relu1_2"], weights)(images):
        assert (features.mean(dim=(0, 2, 3)) - 1).abs().mean().item() < 0.22
