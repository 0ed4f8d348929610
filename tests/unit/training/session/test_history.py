"""What training measures and writes down about itself."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from blindface.base.errors import TrainingError
from blindface.networks import Generator
from blindface.training.data import ImageSet
from blindface.training.monitor.display import Display, summarise
from blindface.training.session.history import AFTER, TermSums, history_rows, write_history
from blindface.training.session.validation import Restore, batch_psnr, batch_ssim, validate, write_samples


def image_set(count: int) -> ImageSet:
    chance = torch.Generator().manual_seed(3)
    return ImageSet(
        ids=tuple(f"x{i}" for i in range(count)),
        targets=torch.randint(0, 256, (count, 128, 128, 3), dtype=torch.uint8, generator=chance),
        blinds=torch.randint(0, 256, (count, 16, 16, 3), dtype=torch.uint8, generator=chance),
        points_128=torch.zeros(count, 68, 2),
        points_64=torch.zeros(count, 68, 2),
        found=torch.zeros(count, dtype=torch.bool),
    )


def restoring(network: Generator) -> Restore:
    return lambda blind, ids: network(blind)  # type: ignore[no-any-return]


def test_psnr_of_a_known_error() -> None:
    """An error of 0.1 on a range of 1 has a PSNR of 20 dB; what lies outside the range is clipped first."""
    target = torch.full((2, 3, 16, 16), 1.0)
    assert float(batch_psnr(target - 0.2, target)) == pytest.approx(20.0, abs=1e-4)
    assert float(batch_psnr(target + 5, target)) == pytest.approx(120.0)


def test_ssim_equals_scikit_images() -> None:
    first, second = (torch.rand(2, 3, 40, 36, generator=torch.Generator().manual_seed(i)) for i in (1, 2))
    second = 0.7 * first + 0.3 * second
    expected = np.mean(
        [
            structural_similarity(
                a.numpy(), b.numpy(), channel_axis=0, data_range=1.0, gaussian_weights=True, use_sample_covariance=False
            )
            for a, b in zip(first.double(), second.double(), strict=True)
        ]
    )
    assert float(batch_ssim(first * 2 - 1, second * 2 - 1)) == pytest.approx(expected, abs=1e-4)


def test_validation_weighs_a_smaller_last_batch_by_its_images() -> None:
    part, restore = image_set(5), restoring(Generator(8).eval())
    whole, in_parts = validate(restore, part, 5), validate(restore, part, 2)
    assert len(whole) == 3
    for one, other in zip(whole, in_parts, strict=True):
        assert one["ssim"] == pytest.approx(other["ssim"], abs=1e-5)
    assert validate(restore, image_set(0), 2) == []


def test_sample_grid_shows_blind_steps_and_target(tmp_path: Path) -> None:
    part = image_set(3)
    write_samples(restoring(Generator(8).eval()), part, tmp_path / "s.png", count=2)
    grid = cv2.cvtColor(cv2.imread(str(tmp_path / "s.png")), cv2.COLOR_BGR2RGB)
    assert grid.shape == (256, 640, 3)
    np.testing.assert_array_equal(grid[128:, 512:], part.targets[1].numpy())


def test_one_image_per_restoration_is_compared_with_the_full_targets() -> None:
    part = image_set(4)
    seen: list[str] = []

    def restore(blind: torch.Tensor, ids: Sequence[str]) -> list[torch.Tensor]:
        seen.extend(ids)
        return [part.batch(torch.arange(len(seen) - len(ids), len(seen))).target]

    (score,) = validate(restore, part, 3)
    assert score == {"psnr": pytest.approx(120.0), "ssim": pytest.approx(1.0)}
    assert tuple(seen) == part.ids


def test_terms_are_averaged_over_the_updates_that_had_them_and_survive_a_stop() -> None:
    sums = TermSums()
    sums.add({"pixel/1": torch.tensor(1.0), "penalty/1": torch.tensor(8.0)})
    sums.add({"pixel/1": torch.tensor(2.0)})
    sums.add({"pixel/1": torch.tensor(6.0)})
    assert sums.means() == {"pixel/1": 3.0, "penalty/1": 8.0}
    again = TermSums.of(json.loads(json.dumps(sums.record())), sums.tensors(), torch.device("cpu"))
    again.add({"pixel/1": torch.tensor(3.0)})
    assert again.means() == {"pixel/1": 3.0, "penalty/1": 8.0}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e12])
def test_a_bad_term_is_named_even_if_later_batches_are_good(bad: float) -> None:
    sums = TermSums()
    sums.add({"pixel/1": torch.tensor(1.0), "penalty/2": torch.tensor(bad)})
    sums.add({"pixel/1": torch.tensor(1.0), "penalty/2": torch.tensor(1.0)})
    with pytest.raises(TrainingError, match=r"progressive2 exploded in epoch 5, step 2: penalty .*more of it"):
        sums.check("progressive2", 4, {"penalty": "more of it"})


def test_history_has_its_columns_and_leaves_the_unknown_empty(tmp_path: Path) -> None:
    values = {"pixel/1": 0.5, "pixel/2": 0.25, "pixel/3": 0.125, "critic_gap/3": -2.0, "learning_rate": 0.001}
    rows = history_rows(1, (1, 2, 3), values, [], 4.0, 64, torch.device("cpu"))
    write_history(tmp_path / "history.csv", rows, ("pixel", "critic_gap"))
    read = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert tuple(read[0]) == ("epoch", "step", "pixel", "critic_gap", *AFTER)
    assert {row["learning_rate"] for row in read} == {"0.001"}
    assert [row["pixel"] for row in read] == ["0.5", "0.25", "0.125"]
    assert [row["critic_gap"] for row in read] == ["", "", "-2"]
    assert read[2]["images_per_second"] == "16"
    assert read[2]["psnr"] == read[2]["gpu_memory_gb"] == ""
    assert len({row["time"] for row in read}) == 1
    assert datetime.fromisoformat(read[0]["time"]).utcoffset() == timedelta(0)


def test_without_a_terminal_each_epoch_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"pixel": 0.12345, "critic_gap": 2.0, "psnr": 21.5, "ssim": 0.6, "images_per_second": 30.0}
    with Display("progressive1", 4, 10, 0, ("pixel", "critic_gap")) as display:
        for _ in range(10):
            display.batch()
        display.epoch(1, row)
    shown = capsys.readouterr().err.splitlines()
    assert shown == [
        "progressive1 epoch 1/4: pixel 0.1235, critic gap 2, validation 21.50 dB, SSIM 0.600, 30.0 images/s"
    ]
    assert summarise({"pixel": 0.1, "images_per_second": 1.0}, ("pixel", "critic_gap")) == "pixel 0.1, 1.0 images/s"
