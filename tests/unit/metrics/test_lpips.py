from __future__ import annotations

from pathlib import Path

import pytest
import torch

from blindface.base.errors import ExternalFileError
from blindface.base.images import to_signed
from blindface.metrics.lpips_distance import TRUNK_FILES, Lpips
from blindface.metrics.stacks import as_stack
from tests.unit.pictures import noisy, textured


def _random_features(trunk: str) -> dict[str, torch.Tensor]:
    """`features.*` of torchvision's classifier with seeded weights, as in its published file."""
    from blindface.base.torchvision_repair import repair

    repair()
    from torchvision import models

    torch.manual_seed(5)
    features = {"alex": models.alexnet, "squeeze": models.squeezenet1_1}[trunk](weights=None).features
    return {f"features.{key}": value for key, value in features.state_dict().items()}


@pytest.fixture(scope="module")
def squeeze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    torch.save(_random_features("squeeze"), path)
    return path


def test_identical_images_have_distance_zero_and_noise_a_growing_one(squeeze: Path) -> None:
    metric, pictures = Lpips("squeeze", squeeze), textured(2)
    assert metric(pictures, pictures).tolist() == [0, 0]
    assert (metric(noisy(pictures, 30), pictures) > metric(noisy(pictures, 5), pictures)).all()


def test_equals_the_package_itself_with_the_same_trunk(squeeze: Path) -> None:
    import lpips

    theirs = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    stored = torch.load(squeeze, weights_only=True)
    for name in theirs.net.state_dict():
        theirs.net.state_dict()[name].copy_(stored["features." + name.split(".", 1)[1]])
    pictures = textured(2)
    damaged = noisy(pictures, 20)
    signed = (to_signed(as_stack(stack)) for stack in (damaged, pictures))
    with torch.no_grad():
        expected = theirs(*signed).flatten().tolist()
    assert Lpips("squeeze", squeeze)(damaged, pictures).tolist() == pytest.approx(expected, rel=1e-5)


def test_a_whole_classifier_and_bare_layer_names_are_read_too(squeeze: Path, tmp_path: Path) -> None:
    stored = torch.load(squeeze, weights_only=True)
    torch.save(stored | {"classifier.1.weight": torch.zeros(1000, 512, 1, 1)}, tmp_path / "whole.pth")
    torch.save({key.removeprefix("features."): value for key, value in stored.items()}, tmp_path / "bare.pth")
    pictures = textured(1)
    damaged = noisy(pictures, 20)
    expected = Lpips("squeeze", squeeze)(damaged, pictures)
    for name in ("whole.pth", "bare.pth"):
        assert torch.equal(Lpips("squeeze", tmp_path / name)(damaged, pictures), expected)


def test_alexnet_has_its_trunk(tmp_path: Path) -> None:
    torch.save(_random_features("alex"), tmp_path / "alex.pth")
    assert Lpips("alex", tmp_path / "alex.pth")(noisy(textured(1), 20), textured(1)).item() > 0


def test_every_trunk_has_a_file_of_the_registry() -> None:
    assert TRUNK_FILES == {"vgg": "vgg16", "alex": "alexnet", "squeeze": "squeezenet1_1"}


@pytest.mark.parametrize("content", [b"no pickle", None])
def test_a_file_of_another_kind_is_refused_in_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "wrong.pth"
    if content is None:
        torch.save({"features.0.weight": torch.zeros(1)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(ExternalFileError, match="does not hold the LPIPS trunk 'squeeze'"):
        Lpips("squeeze", path)


@pytest.mark.mirror
def test_lpips_squeeze_reproduces_the_documented_example(mirror: Path) -> None:
    torch.manual_seed(42)
    first, second = torch.rand(2, 3, 100, 100) * 2 - 1, torch.rand(2, 3, 100, 100) * 2 - 1
    metric = Lpips("squeeze", mirror / "weights" / "squeezenet1_1_features.derived.pth")
    # torchmetrics' documentation of LearnedPerceptualImagePatchSimilarity(net_type="squeeze")
    assert metric.between(first, second).tolist() == pytest.approx([0.1024, 0.0938], abs=5e-5)
