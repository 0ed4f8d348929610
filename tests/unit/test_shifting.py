"""Images moved by whole pixels: the same on the processor, in NumPy and on the device, and landmarks with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from blindface.base.errors import ParameterError
from blindface.degradation import degrade_many
from blindface.params import PairsParams, load_params
from blindface.shifting import draw_shifts, shift_image, shift_images
from blindface.training.data import EpochDraws, ImageSet, draw_epoch
from blindface.training.online import FreshBlinds

IDS = [f"Rendered_Person_{number:03d}/one" for number in range(300)]
TARGETS = np.random.default_rng(1).integers(0, 256, (4, 128, 128, 3), np.uint8)
SHIFTS = np.array([[0, 0], [3, -2], [-5, 7], [7, 7]], np.int64)
CPU = torch.device("cpu")


def _by_hand(image: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """NumPy's own mirrored padding, then a cut."""
    wide = np.pad(image, ((8, 8), (8, 8), (0, 0)), mode="reflect")
    return wide[8 + dy : 8 + dy + image.shape[0], 8 + dx : 8 + dx + image.shape[1]]


@pytest.mark.parametrize("place", range(4))
def test_a_shift_is_a_cut_from_the_mirrored_continuation(place: int) -> None:
    expected = _by_hand(TARGETS[place], *SHIFTS[place].tolist())
    assert np.array_equal(shift_image(TARGETS[place], SHIFTS[place]), expected)


def test_the_device_moves_a_stack_as_the_processes_move_each_image() -> None:
    moved = shift_images(torch.from_numpy(TARGETS), torch.from_numpy(SHIFTS)).numpy()
    assert all(np.array_equal(moved[n], shift_image(TARGETS[n], SHIFTS[n])) for n in range(4))


def test_shifts_reach_both_ends_and_depend_on_seed_epoch_and_id_alone() -> None:
    shifts = draw_shifts(1, 2, IDS, 3)
    assert {tuple(sorted(set(column.tolist()))) for column in shifts.T} == {(-3, -2, -1, 0, 1, 2, 3)}
    assert np.array_equal(draw_shifts(1, 2, IDS[::-1], 3)[::-1], shifts)
    assert not np.array_equal(draw_shifts(1, 3, IDS, 3), shifts)
    assert not np.array_equal(draw_shifts(2, 2, IDS, 3), shifts)


def _part() -> ImageSet:
    """Images that are black but for one white pixel, which is a landmark."""
    targets = np.zeros((4, 128, 128, 3), np.uint8)
    points = np.zeros((4, 68, 2), np.float32)
    for place in range(4):
        targets[place, 40, 50 + place] = 255
        points[place] = (50 + place, 40)
    blank = torch.zeros(4, 16, 16, 3, dtype=torch.uint8)
    half = torch.from_numpy((points + 0.5) / 2 - 0.5)
    found = torch.ones(4, dtype=torch.bool)
    return ImageSet(tuple(IDS[:4]), torch.from_numpy(targets), blank, torch.from_numpy(points), half, found)


@pytest.mark.parametrize("mirrored", [None, torch.tensor([True, False, True, False])])
def test_landmarks_stay_on_what_they_mark(mirrored: torch.Tensor | None) -> None:
    batch = _part().batch(torch.arange(4), mirrored, shifts=torch.from_numpy(SHIFTS))
    for place in range(4):
        row, column = (batch.targets[2][place, 0] == 1).nonzero()[0].tolist()
        assert batch.points[2][place, 0].tolist() == [column, row]
        # the half-size image's point: the same place, its pixels twice as wide
        assert batch.points[1][place, 0].tolist() == [(column + 0.5) / 2 - 0.5, (row + 0.5) / 2 - 0.5]


def test_fresh_blind_images_show_the_moved_targets() -> None:
    with FreshBlinds(TARGETS, IDS[:4], "objective1", PairsParams(), 1, shifts=lambda epoch: SHIFTS) as fresh:
        blinds = fresh.take(0, CPU).numpy()
    moved = np.stack([shift_image(target, shift) for target, shift in zip(TARGETS, SHIFTS, strict=True)])
    assert np.array_equal(blinds, degrade_many(moved, IDS[:4], "objective1", PairsParams(), 0))


def test_draws_of_an_epoch_hold_the_shifts_of_their_rows() -> None:
    def draws(shift: int) -> EpochDraws:
        return draw_epoch(7, "objective1", 3, IDS, 32, True, CPU, shift)

    found = draws(5)
    assert found.shifts is not None
    expected = draw_shifts(7, 3, IDS, 5)
    assert np.array_equal(found.shifts.reshape(-1, 2).numpy(), expected[found.rows.flatten().numpy()])
    assert draws(0).shifts is None
    assert torch.equal(draws(0).rows, found.rows)


def test_a_shift_without_fresh_degradations_is_refused() -> None:
    with pytest.raises(ParameterError, match="shift 3 needs degradation fresh") as refused:
        load_params(['{"train": {"shift": 3}}'])
    assert len(str(refused.value)) < 200  # not the whole block
    assert load_params(['{"train": {"shift": 3, "degradation": "fresh"}}']).train.shift == 3
