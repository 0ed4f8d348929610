from __future__ import annotations

from pathlib import Path

import pytest
import torch

from blindface.base.errors import ExternalFileError
from blindface.metrics.inception import Inception
from tests.unit.pictures import textured


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the form of FID's Inception with seeded weights: the real one is 95 MB on the network."""
    from blindface.base.torchvision_repair import repair

    repair()
    from pytorch_fid import inception

    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.manual_seed(6)
    usual = inception.load_state_dict_from_url
    seen: list[dict[str, torch.Tensor]] = []

    def keep(self: torch.nn.Module, *_: object, **__: object) -> None:
        seen.append(self.state_dict())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Module, "load_state_dict", keep)
        patch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: {})
        inception.fid_inception_v3()
    assert inception.load_state_dict_from_url is usual
    torch.save(seen[0], path)
    return path


def test_features_are_those_of_the_package_and_its_loader_is_left_alone(weights: Path) -> None:
    from pytorch_fid import inception

    usual = inception.load_state_dict_from_url
    pictures = textured(2)
    network = Inception(weights)
    features = network.features(pictures)
    assert inception.load_state_dict_from_url is usual
    assert features.shape == (2, 2048)
    unit = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = network.network(unit)[0][:, :, 0, 0]
    assert features == pytest.approx(expected.numpy(), rel=1e-5)
    stored = torch.load(weights, weights_only=True)
    first = network.network.blocks[0][0].conv.weight
    assert torch.equal(first, stored["Conv2d_1a_3x3.conv.weight"])


def test_a_file_of_another_kind_is_refused_in_one_sentence(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "wrong.pth")
    with pytest.raises(ExternalFileError, match="does not hold FID's Inception"):
        Inception(tmp_path / "wrong.pth")
