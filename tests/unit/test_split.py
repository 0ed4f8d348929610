from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from blindface.base.errors import InputError
from blindface.base.image_table import ImageTableWriter
from blindface.params import SplitParams
from blindface.split import make_split, read_part, read_people, read_split, split_photographs

GOLDEN_TEST = ["P2/P2_0001", "P4/P4_0001"]
GOLDEN_VALIDATION = ["P3/P3_0001"]


def photographs(people: int, each: int = 1) -> dict[str, str]:
    return {f"P{p}/P{p}_{n:04d}": f"P{p}" for p in range(people) for n in range(1, each + 1)}


def members(parts: dict[str, str], part: str) -> set[str]:
    return {name for name, value in parts.items() if value == part}


@pytest.mark.parametrize(("count", "train", "test"), [(13_233, 10_586, 2_647), (13_232, 10_586, 2_646), (10, 8, 2)])
def test_sizes_of_the_split_by_image(count: int, train: int, test: int) -> None:
    # 13,233 is LFW; 13,232 its copy at 150 px, which lacks one photograph
    parts = split_photographs(photographs(count), SplitParams(validation=1))
    assert len(members(parts, "train")) + len(members(parts, "validation")) == train
    assert len(members(parts, "test")) == test


def test_lists_are_those_of_every_machine() -> None:
    parts = split_photographs(photographs(8), SplitParams(validation=1))
    # golden: SHA-256 of seed and id alone decides, so these hold for all versions of Python and NumPy
    assert sorted(members(parts, "test")) == GOLDEN_TEST
    assert sorted(members(parts, "validation")) == GOLDEN_VALIDATION


def test_order_of_the_input_does_not_matter_but_the_seed_does() -> None:
    forward = photographs(50)
    backward = dict(reversed(forward.items()))
    params = SplitParams(validation=5)
    assert split_photographs(forward, params) == split_photographs(backward, params)
    assert split_photographs(forward, params) != split_photographs(forward, SplitParams(validation=5, seed=1))


def test_a_missing_photograph_moves_at_most_the_borders() -> None:
    whole = photographs(200)
    params = SplitParams(validation=0)
    before = split_photographs(whole, params)
    after = split_photographs({name: who for name, who in whole.items() if name != "P7/P7_0001"}, params)
    assert sum(before[name] != part for name, part in after.items()) <= 1


def test_validation_is_cut_from_the_training_part_alone() -> None:
    without = split_photographs(photographs(50), SplitParams(validation=0))
    with_some = split_photographs(photographs(50), SplitParams(validation=12))
    assert members(with_some, "test") == members(without, "test")
    assert members(with_some, "train") | members(with_some, "validation") == members(without, "train")
    assert len(members(with_some, "validation")) == 12


def test_by_identity_no_person_stands_in_two_parts() -> None:
    people = photographs(60, each=3) | {f"Many/Many_{n:04d}": "Many" for n in range(1, 40)}
    parts = split_photographs(people, SplitParams(by="identity", validation=20))
    home: dict[str, set[str]] = {}
    for name, part in parts.items():
        home.setdefault(people[name], set()).add(part)
    assert all(len(where) == 1 for where in home.values())
    assert set(parts.values()) == {"train", "validation", "test"}
    learning = len(members(parts, "train")) + len(members(parts, "validation"))
    assert 0.78 * len(people) <= learning <= 0.8 * len(people)


def test_limits_keep_the_first_of_a_part_and_leave_the_rest_out() -> None:
    params = SplitParams(validation=4, train_limit=10, test_limit=3)
    parts = split_photographs(photographs(50), params)
    assert [len(members(parts, part)) for part in ("train", "validation", "test")] == [10, 4, 3]
    more = split_photographs(photographs(50), SplitParams(validation=4, train_limit=11, test_limit=3))
    assert members(parts, "train") < members(more, "train")


def lists(folder: Path, train: list[str], test: list[str]) -> tuple[Path, Path]:
    paths = folder / "peopleDevTrain.txt", folder / "peopleDevTest.txt"
    for path, names in zip(paths, (train, test), strict=True):
        path.write_text(f"{len(names)}\n" + "".join(f"{name}\t1\n" for name in names))
    return paths


def test_official_lists_decide_by_person(tmp_path: Path) -> None:
    people = photographs(6, each=2)
    official = lists(tmp_path, ["P0", "P1", "P2", "P3", "Absent"], ["P4", "P5"])
    parts = split_photographs(people, SplitParams(by="official", validation=2), official)
    assert {people[name] for name in members(parts, "test")} == {"P4", "P5"}
    assert len(members(parts, "validation")) == 2
    assert len({people[name] for name in members(parts, "validation")}) == 1


def test_official_lists_refuse_strangers_and_overlap(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="P5, are in neither"):
        split_photographs(photographs(6), SplitParams(by="official"), lists(tmp_path, ["P0", "P1", "P2"], ["P3", "P4"]))
    with pytest.raises(InputError, match="P1 stands in both"):
        split_photographs(photographs(2), SplitParams(by="official"), lists(tmp_path, ["P0", "P1"], ["P1"]))
    with pytest.raises(InputError, match="--people-train"):
        split_photographs(photographs(6), SplitParams(by="official"))


def test_a_broken_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    path.write_text("3\nA\t1\n")
    with pytest.raises(InputError, match="names 1 people but announces 3"):
        read_people(path)
    path.write_text("<html>")
    with pytest.raises(InputError, match="first line"):
        read_people(path)
    with pytest.raises(InputError, match="missing"):
        read_people(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("people", "params"),
    [
        (photographs(1), SplitParams()),
        (photographs(2), SplitParams(validation=0, train_share=0.9)),
        (photographs(20), SplitParams(validation=256)),
        (photographs(1, each=20), SplitParams(by="identity", validation=0)),
    ],
)
def test_too_few_photographs_are_refused_with_a_remedy(people: dict[str, str], params: SplitParams) -> None:
    with pytest.raises(InputError, match="add photographs"):
        split_photographs(people, params)


def test_the_file_is_sorted_readable_and_repeats_to_the_byte(tmp_path: Path) -> None:
    people = photographs(20)
    targets = tmp_path / "targets.parquet"
    with ImageTableWriter(targets, {"id": pa.string(), "person": pa.string()}) as writer:
        writer.append({"id": sorted(people), "person": [people[name] for name in sorted(people)]}, {})
    counts = make_split(targets, SplitParams(validation=2), tmp_path / "a.csv")
    make_split(targets, SplitParams(validation=2), tmp_path / "b.csv")
    assert counts == {"train": 14, "validation": 2, "test": 4}
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "id,part"
    assert lines[1:] == sorted(lines[1:])
    assert len(read_part(tmp_path / "a.csv", "test")) == 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "first line"),
        ("a,b\n", "first line"),
        ("id,part\nx,tset\n", "line 2"),
        ("id,part\nx,test\nx,train\n", "twice"),
    ],
)
def test_a_broken_split_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_split(path)


@pytest.mark.mirror
def test_the_official_lists_of_lfw_are_read(mirror: Path) -> None:
    # 4,038 and 1,711 people: LFW's own README, view 1
    train, test = (read_people(mirror / "lfw" / name) for name in ("peopleDevTrain.txt", "peopleDevTest.txt"))
    assert (len(train), len(test)) == (4038, 1711)
    assert not train & test


def test_few_photographs_that_train_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [f"p{number:03d}" for number in range(325)]
    with ImageTableWriter(tmp_path / "t.parquet", {"id": pa.string(), "person": pa.string()}, {}) as writer:
        writer.append({"id": ids, "person": ids}, {})
    assert make_split(tmp_path / "t.parquet", SplitParams(), tmp_path / "s.csv")["train"] == 4
    assert "only 4 of 325 photographs train" in capsys.readouterr().err
