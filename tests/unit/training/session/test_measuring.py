"""What a run knows besides its losses: LPIPS of a few images, the best epoch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from blindface.networks import Generator
from blindface.training.session import validation
from blindface.training.session.measuring import is_better, judge, load_distance
from blindface.training.session.validation import validate
from tests.unit.training.session.test_history import image_set, restoring


class MeanDifference:
    """In LPIPS's place: the mean absolute difference of each pair."""

    def __init__(self) -> None:
        self.images = 0

    def between(self, first: Tensor, second: Tensor) -> Tensor:
        assert first.shape == second.shape == (len(first), 3, 128, 128)
        assert first.abs().max() <= 1
        self.images += len(first)
        return (first - second).abs().mean(dim=(1, 2, 3)).double()


def test_lpips_is_that_of_step_three_over_the_first_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "LPIPS_IMAGES", 3)
    network, part, distance = Generator(8).eval(), image_set(6), MeanDifference()
    scores = validate(restoring(network), part, 2, distance)  # type: ignore[arg-type]
    assert distance.images == 4  # two batches, of which three images count
    batch = part.batch(torch.arange(3))
    with torch.no_grad():
        expected = (network(batch.blind)[2].clamp(-1, 1) - batch.targets[2]).abs().mean()
    assert scores[2]["lpips_squeeze"] == pytest.approx(float(expected), rel=1e-5)
    assert "lpips_squeeze" not in scores[0]
    assert load_distance(None, torch.device("cpu")) is None


@pytest.mark.mirror
def test_lpips_of_the_validation_is_zero_for_equal_images(mirror: Path) -> None:
    weights = sorted(mirror.rglob("squeezenet1_1*"))
    if not weights:
        pytest.skip("the mirror holds no SqueezeNet")
    distance = load_distance(weights[0], torch.device("cpu"))
    assert distance is not None
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert distance.between(images, images).abs().max() < 1e-6
    assert distance.between(images, -images).min() > 0.1


def test_the_best_epoch_has_the_lowest_lpips_or_else_the_highest_psnr() -> None:
    first, second = judge({"psnr": 20.0, "ssim": 0.5}, 1), judge({"psnr": 21.0, "ssim": 0.4}, 2)
    assert is_better(first, None)
    assert is_better(second, first)
    assert not is_better(first, second)
    sharp = judge({"psnr": 19.0, "ssim": 0.4, "lpips_squeeze": 0.2}, 3)
    sharper = judge({"psnr": 18.0, "ssim": 0.4, "lpips_squeeze": 0.1}, 4)
    assert sharper == {"metric": "lpips_squeeze", "value": 0.1, "epoch": 4}
    assert is_better(sharp, second)  # measured otherwise than before: no number to compare with
    assert is_better(sharper, sharp)
    assert not is_better(sharp, sharper)
