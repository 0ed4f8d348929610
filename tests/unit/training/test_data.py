"""Training data: what joins, what mirrors, and what the draws depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from blindface.base import image_table
from blindface.base.errors import InputError, ParameterError
from blindface.landmarks.geometry import MIRRORED
from blindface.training.data import ImageSet, count_batches, draw_epoch, load_set, mirror_points

IDS = [f"p{i}/p{i}_0001" for i in range(6)]
CPU = torch.device("cpu")


def write_part(folder: Path, ids: list[str] = IDS, lacking: int = 0) -> tuple[Path, Path, Path]:
    """Targets and landmarks of all IDS in file order, pairs of `ids`; image i is filled with level i."""
    with image_table.ImageTableWriter(folder / "t.parquet", {"id": pa.string()}, {"target": (128, 128, 3)}) as writer:
        stack = np.stack([np.full((128, 128, 3), 10 * i, np.uint8) for i in range(len(IDS))])
        writer.append({"id": IDS}, {"target": stack})
    with image_table.ImageTableWriter(folder / "p.parquet", {"id": pa.string()}, {"blind": (16, 16, 3)}) as writer:
        stack = np.stack([np.full((16, 16, 3), 10 * IDS.index(name) + 1, np.uint8) for name in ids])
        writer.append({"id": ids}, {"blind": stack})
    columns = {
        "id": pa.string(),
        "found": pa.bool_(),
        "points_128": pa.list_(pa.float32(), 136),
        "points_64": pa.list_(pa.float32(), 136),
    }
    with image_table.ImageTableWriter(folder / "l.parquet", columns) as writer:
        rows = range(len(IDS) - lacking)
        points = [np.full(136, float(i) if i != 2 else np.nan, np.float32) for i in rows]
        names = [IDS[i] for i in rows]
        values = {"id": names, "found": [i != 2 for i in rows], "points_128": points, "points_64": points}
        writer.append(values, {})
    return folder / "t.parquet", folder / "p.parquet", folder / "l.parquet"


def test_targets_and_landmarks_join_the_pairs_by_id(tmp_path: Path) -> None:
    wanted = [IDS[4], IDS[1], IDS[2]]
    part = load_set(*write_part(tmp_path, wanted), CPU)
    assert part.ids == tuple(wanted)
    assert part.targets[:, 0, 0, 0].tolist() == [40, 10, 20]
    assert part.blinds[:, 0, 0, 0].tolist() == [41, 11, 21]
    assert part.points_128[:, 5, 1].tolist() == [4.0, 1.0, 0.0]
    assert part.found.tolist() == [True, True, False]


def test_landmarks_that_lack_an_image_are_refused(tmp_path: Path) -> None:
    targets, pairs, landmarks = write_part(tmp_path, lacking=1)
    with pytest.raises(InputError, match=r"lacks the landmarks of 1 images, first p5/p5_0001"):
        load_set(targets, pairs, landmarks, CPU)


def test_smaller_targets_are_area_averages(tmp_path: Path) -> None:
    part = load_set(*write_part(tmp_path), CPU)
    part.targets[0] = torch.randint(0, 256, (128, 128, 3), dtype=torch.uint8)
    batch = part.batch(torch.tensor([0]))
    full = part.targets[0].float() / 127.5 - 1
    torch.testing.assert_close(batch.targets[1][0, 1, 3, 5], full[6:8, 10:12, 1].mean())
    torch.testing.assert_close(batch.targets[0][0, 2, 30, 9], full[120:124, 36:40, 2].mean())
    assert [target.shape[-1] for target in batch.targets] == [32, 64, 128]


def test_mirrored_points_are_a_permutation_that_undoes_itself() -> None:
    assert sorted(MIRRORED) == list(range(68))
    points = torch.rand(3, 68, 2) * 127
    torch.testing.assert_close(mirror_points(mirror_points(points, 128), 128), points)


def test_mirroring_keeps_landmarks_on_what_they_mark(tmp_path: Path) -> None:
    """A bright pixel at the outer corner of the left eye (36) carries the right eye's name (45) after mirroring."""
    part = load_set(*write_part(tmp_path), CPU)
    part.targets.zero_()
    part.targets[0, 50, 30] = 255
    part.points_128[0, 36] = torch.tensor([30.0, 50.0])
    batch = part.batch(torch.tensor([0, 0]), torch.tensor([True, False]))
    for row, name in ((0, 45), (1, 36)):
        x, y = (int(value) for value in batch.points[2][row, name])
        assert batch.targets[2][row, 0, y, x] == 1.0
    assert int(batch.points[2][0, 45, 0]) == 97


def test_mirroring_takes_blind_and_target_together(tmp_path: Path) -> None:
    part = load_set(*write_part(tmp_path), CPU)
    part.targets[1, :, :64] = 255
    part.blinds[1, :, :8] = 255
    batch = part.batch(torch.tensor([1]), torch.tensor([True]))
    assert batch.targets[2][0, 0, 0, -1] == 1.0
    assert batch.blind[0, 0, 0, -1] == 1.0
    assert batch.targets[2][0, 0, 0, 0] < 0
    assert batch.blind[0, 0, 0, 0] < 0


def test_fresh_blinds_replace_the_stored_ones(tmp_path: Path) -> None:
    part = load_set(*write_part(tmp_path), CPU)
    fresh = torch.full_like(part.blinds, 255)
    assert (part.batch(torch.tensor([0, 3]), blinds=fresh).blind == 1.0).all()


def test_draws_of_an_epoch_are_those_of_its_position_alone() -> None:
    first = draw_epoch(7, "objective1", 3, IDS, 2, True, CPU)
    draw_epoch(7, "objective1", 2, IDS, 2, True, CPU)
    again = draw_epoch(7, "objective1", 3, IDS, 2, True, CPU)
    assert first.mirrored is not None
    assert again.mirrored is not None
    assert torch.equal(first.rows, again.rows)
    assert torch.equal(first.mirrored, again.mirrored)
    ids = [f"x{i}" for i in range(64)]
    orders = {
        tuple(draw_epoch(seed, name, epoch, ids, 64, False, CPU).rows[0].tolist())
        for seed, name, epoch in (
            (7, "objective1", 3),
            (8, "objective1", 3),
            (7, "objective2", 3),
            (7, "objective1", 4),
        )
    }
    assert len(orders) == 4


def test_an_image_is_mirrored_or_not_whatever_else_is_in_the_set() -> None:
    ids = [f"x{i}" for i in range(50)]
    sides = {}
    for subset in (ids, ids[::-1], ids[::2]):
        draws = draw_epoch(1, "objective1", 5, subset, len(subset), True, CPU)
        assert draws.mirrored is not None
        for row, side in zip(draws.rows[0].tolist(), draws.mirrored[0].tolist(), strict=True):
            assert sides.setdefault(subset[row], side) == side
    assert 10 < sum(sides.values()) < 40


def test_every_image_comes_at_most_once_and_the_rest_is_dropped() -> None:
    rows = draw_epoch(7, "objective1", 0, IDS, 4, False, CPU).rows
    assert rows.shape == (1, 4)
    assert len(set(rows.flatten().tolist())) == 4


def test_fewer_images_than_a_batch_are_refused() -> None:
    with pytest.raises(ParameterError, match="6 images, fewer than one batch of 7: lower the batch_size"):
        count_batches(6, 7)


def test_a_part_without_images_loads(tmp_path: Path) -> None:
    targets, _, landmarks = write_part(tmp_path)
    with image_table.ImageTableWriter(tmp_path / "e.parquet", {"id": pa.string()}, {"blind": (16, 16, 3)}):
        pass
    part = load_set(targets, tmp_path / "e.parquet", landmarks, CPU)
    assert isinstance(part, ImageSet)
    assert len(part) == 0
