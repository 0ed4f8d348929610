"""What a run knows besides its losses: LPIPS of a few images, the best epoch, the drawn weights, what memory holds."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import Tensor

from blindface.networks import Generator
from blindface.params import ObjectiveParams, PairsParams, PerceptualParams, TrainParams, WeightParams
from blindface.training.monitor import memory
from blindface.training.monitor.memory import largest_batches
from blindface.training.monitor.plan import count_work, fixed_bytes
from blindface.training.recipes.progressive.schedule import TERMS
from blindface.training.session import validation
from blindface.training.session.measuring import is_better, judge, load_distance
from blindface.training.session.validation import validate
from blindface.training.task import Task, TrainFiles
from blindface.training.weights_chart import draw_weights, weight_curves
from tests.unit.training.session.test_history import image_set


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
    scores = validate(network, part, 2, distance)  # type: ignore[arg-type]
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


CHOICE = ObjectiveParams(adversarial=WeightParams(final=(0.5, 0.3, 0.1), start=0.2, ramp=30.0))


def test_drawn_curves_are_the_weights_with_their_corners() -> None:
    epochs, weights = weight_curves(CHOICE, 102)
    assert weights.shape == (len(epochs), 3, len(TERMS))
    at = {float(epoch): row for epoch, row in zip(epochs, weights, strict=True)}
    np.testing.assert_allclose(at[0.0][:, 0], [0.1, 0.06, 0.02])
    np.testing.assert_allclose(at[30.0][:, 0], [0.5, 0.3, 0.1])  # the corner is a point of the curve
    np.testing.assert_allclose(at[102.0], [[0.5, 100, 10, 0, 0], [0.3, 100, 10, 0.5, 0], [0.1, 100, 10, 0.25, 0]])
    rising = np.diff(weights[:, 0, 0]) / np.diff(epochs)
    np.testing.assert_allclose(rising[epochs[1:] <= 30], 0.4 / 30, rtol=1e-6)
    np.testing.assert_allclose(rising[epochs[:-1] >= 30], 0.0, atol=1e-12)


def test_the_drawing_has_a_panel_per_loss_and_the_same_bytes_twice(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw_weights(CHOICE, 102, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    groups = [group.get("id", "") for group in ElementTree.parse(tmp_path / "a.svg").getroot().iter()]
    assert sum(name.startswith("axes_") for name in groups) == len(TERMS)


def test_what_is_advised_when_memory_runs_out_fits_by_the_plans_estimate() -> None:
    room = 24.5 * 1e9
    assert largest_batches(64, "fp32", 1e9, room, 1) == [("", 24), ("bf16", 49)]
    assert largest_batches(64, "fp32", 1e9, room / 2, 2) == [("", 24), ("bf16", 48)]
    assert largest_batches(64, "bf16", 1e9, room, 1) == [("", 49)]
    # The estimate has been too low: it says that what failed fits
    assert largest_batches(64, "tf32", 1e9, 1e15, 1) == [("", 32), ("bf16", 64)]
    assert largest_batches(64, "fp32", 1e9, -1e9, 1) == [("", 0), ("bf16", 0)]


def test_advice_names_card_batch_and_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1_000_000_000, 2_000_000_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 500_000_000)
    monkeypatch.setattr(memory, "count_rows", lambda path: 100)
    small = {"generator_channels": 8, "discriminator_channels": 4, "perceptual": PerceptualParams(backbone="none")}
    choice = ObjectiveParams(batch_size=4096, perceptual=WeightParams())
    params = TrainParams(**small, precision="fp32", objective1=choice)  # type: ignore[arg-type]
    files = TrainFiles(tmp_path, tmp_path)
    text = memory.advise(Task(params, "objective1", PairsParams(), files, tmp_path, torch.device("cpu")))
    assert text.startswith("the 1.5 GB of the GPU do not suffice to train objective1 with batches of 4096: set ")
    found = re.search(r"batch_size to (\d+) or train.objective1.batch_size to (\d+) with train.precision bf16", text)
    assert found is not None
    full, half = (int(size) for size in found.groups())
    _, per_image = count_work(params, "objective1")
    left = memory.HEADROOM * 1.5e9 - fixed_bytes(params, "objective1", 100)
    assert full * per_image <= left < (full + 1) * per_image
    assert half in (2 * full, 2 * full + 1)
