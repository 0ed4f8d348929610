"""Every check passes on data as the stages make it, and fails with the reason on each kind of damage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blindface.base.errors import InputError
from blindface.base.image_table import ImageTableWriter
from blindface.check import check_data
from blindface.degradation import make_pairs
from blindface.landmarks import table
from blindface.landmarks.table import Landmarks
from blindface.params import PairsParams, SplitParams
from blindface.split import make_split

SPLIT = SplitParams(by="identity", validation=2)
PARAMS = PairsParams()
NAMES = sorted(f"P{n // 2:02d}/P{n // 2:02d}_{n % 2 + 1:04d}" for n in range(24))


@dataclass
class Made:
    """A folder of made data."""

    folder: Path
    split_params: SplitParams = SPLIT
    pairs_params: PairsParams = PARAMS
    pairs: list[Path] = field(default_factory=list)

    def check(self) -> dict[str, object]:
        return check_data(
            self.folder / "targets.parquet",
            self.folder / "split.csv",
            self.pairs,
            self.folder / "landmarks.parquet",
            self.folder / "checked.json",
            self.split_params,
            self.pairs_params,
            self.folder / "skipped.csv",
        )

    def edit(self, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
        table = pq.read_table(self.folder / name)
        pq.write_table(change(table).cast(table.schema), self.folder / name)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    images = np.random.default_rng(0).integers(0, 256, (len(NAMES), 128, 128, 3), dtype=np.uint8)
    columns = {"id": pa.string(), "person": pa.string(), "sha256": pa.string()}
    with ImageTableWriter(tmp_path / "targets.parquet", columns, {"target": (128, 128, 3)}) as writer:
        hashes = [hashlib.sha256(image).hexdigest() for image in images]
        writer.append({"id": NAMES, "person": [name[:3] for name in NAMES], "sha256": hashes}, {"target": images})
    make_split(tmp_path / "targets.parquet", SPLIT, tmp_path / "split.csv")
    write_landmarks(tmp_path / "landmarks.parquet", np.full((len(NAMES), 136), 30.0))
    (tmp_path / "skipped.csv").write_text("id,reason\nA/A_0001,truncated\n")
    made = Made(tmp_path)
    for objective in ("objective1", "objective2"):
        for part in ("train", "validation", "test"):
            path = tmp_path / objective / f"{part}.parquet"
            make_pairs(tmp_path / "targets.parquet", tmp_path / "split.csv", objective, part, PARAMS, path)
            made.pairs.append(path)
    return made


def write_landmarks(path: Path, points: np.ndarray, names: list[str] = NAMES) -> None:
    """A face where all points are finite; at 64 px the points are halved."""
    points = points.reshape(-1, 68, 2).astype(np.float32)
    number = np.zeros(len(points), np.float32)
    landmarks = Landmarks(
        found=~np.isnan(points).any(axis=(1, 2)),
        points_128=points,
        points_64=points / 2,
        box=np.zeros((len(points), 4), np.float32),
        score=number,
        faces=number.astype(np.int32),
        yaw=number,
        pitch=number,
    )
    table.write_landmarks(path, [(names, landmarks)], {})


def test_whole_data_pass_and_are_counted(made: Made) -> None:
    counts = made.check()
    assert counts == json.loads((made.folder / "checked.json").read_text())
    assert (counts["photographs"], counts["skipped"], counts["people"], counts["faces"]) == (24, 1, 12, 24)
    # 12 people with two photographs: 18 of the wanted 19 photographs learn, 2 of them validate
    assert counts["parts"] == {"train": 16, "validation": 2, "test": 6}
    assert counts["pairs"]["objective2"] == counts["parts"]
    assert counts["hashes"] == 16 + 2 * (16 + 2 + 6)


def test_faces_that_were_not_found_are_counted(made: Made) -> None:
    points = np.full((len(NAMES), 136), 30.0)
    points[3] = np.nan
    write_landmarks(made.folder / "landmarks.parquet", points)
    assert made.check()["faces"] == 23


def refused(made: Made, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        made.check()
    assert not (made.folder / "checked.json").exists()


def test_a_changed_target_is_found(made: Made) -> None:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(2, "sha256", pa.array(["0" * 64] * len(table)))

    made.edit("targets.parquet", change)
    refused(made, "targets.parquet: the bytes of .* do not have their recorded SHA-256")


def test_unsorted_targets_are_found(made: Made) -> None:
    made.edit("targets.parquet", lambda table: table.take(list(range(23, -1, -1))))
    refused(made, "not sorted")


def test_a_person_in_two_parts_is_found(made: Made) -> None:
    path = made.folder / "split.csv"
    lines = path.read_text().splitlines()
    lines[1] = f"{NAMES[0]},{'test' if lines[2].endswith('train') else 'train'}"
    path.write_text("\n".join(lines) + "\n")
    refused(made, "P00 stands in two parts")


def test_a_split_of_other_photographs_is_found(made: Made) -> None:
    path = made.folder / "split.csv"
    path.write_text(path.read_text() + "Zoe/Zoe_0001,test\n")
    refused(made, "first Zoe/Zoe_0001, have no target")


def test_pairs_of_an_older_split_are_found(made: Made) -> None:
    made.split_params = SPLIT.model_copy(update={"validation": 0})
    make_split(made.folder / "targets.parquet", made.split_params, made.folder / "split.csv")
    refused(made, "holds 16 photographs that are not the 18 of the train part")


@pytest.mark.parametrize("by", ["identity", "image"])
def test_a_split_of_other_parameters_is_found(made: Made, by: str) -> None:
    made.split_params = SplitParams(by=by, validation=2, seed=7)
    refused(made, "not the one that these parameters make")


def test_a_split_by_official_lists_is_taken_as_it_is(made: Made) -> None:
    made.split_params = SplitParams(by="official", validation=2)
    assert made.check()["split_by"] == "official"


def test_an_empty_test_part_is_found(made: Made) -> None:
    path = made.folder / "split.csv"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.endswith("test")) + "\n")
    refused(made, "training or its test part is empty")


def test_missing_pairs_are_found(made: Made) -> None:
    made.edit("objective1/train.parquet", lambda table: table.slice(1))
    refused(made, "holds 15 photographs that are not the 16")


def test_draws_out_of_range_are_found(made: Made) -> None:
    narrow = made.pairs_params.objective1.model_copy(update={"q": (60, 61)})
    made.pairs_params = made.pairs_params.model_copy(update={"objective1": narrow})
    refused(made, r"objective1/train.parquet: q of .* lies outside \[60, 61\]")


def test_changed_blind_bytes_are_found(made: Made) -> None:
    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index("blind")
        return table.set_column(place, table.schema.field(place), table.column(place).take([1, *range(1, len(table))]))

    made.edit("objective1/validation.parquet", change)
    refused(made, "objective1/validation.parquet: the bytes of .* do not have")


def test_pairs_made_with_another_convention_are_found(made: Made) -> None:
    made.pairs_params = made.pairs_params.model_copy(update={"chroma": "444"})
    refused(made, "comes out differently")


def test_pairs_of_other_targets_are_found(made: Made) -> None:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(6, "target_sha256", pa.array(["0" * 64] * len(table)))

    made.edit("objective2/test.parquet", change)
    refused(made, "objective2/test.parquet: it was made from other targets")


@pytest.mark.parametrize(
    ("value", "reason"),
    [(np.inf, "of 3 faces at 128 px, first P00/P00_0001, are not 68 finite"), (127.6, "at 128 px.* outside the frame")],
)
def test_impossible_landmarks_are_found(made: Made, value: float, reason: str) -> None:
    points = np.full((len(NAMES), 136), 30.0)
    points[:3, 5] = value
    write_landmarks(made.folder / "landmarks.parquet", points)
    refused(made, reason)


def test_landmarks_at_the_border_are_inside(made: Made) -> None:
    points = np.full((len(NAMES), 136), 127.0)
    points[:, ::2] = 0.0
    write_landmarks(made.folder / "landmarks.parquet", points)
    assert made.check()["faces"] == 24


def test_landmarks_of_other_targets_are_found(made: Made) -> None:
    write_landmarks(made.folder / "landmarks.parquet", np.full((23, 136), 30.0), NAMES[1:])
    refused(made, "its 23 rows are not the 24 targets")
