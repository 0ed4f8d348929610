"""Groups, their means with intervals, and the tidy table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import blindface.cli.subgroups  # noqa: F401  (registers the command)
from blindface.base.errors import InputError, ParameterError
from blindface.base.image_table import ImageTableWriter
from blindface.cli.app import app
from blindface.evaluation.statistics import bootstrap_mean, paired_difference, people_of
from blindface.landmarks.table import Landmarks, write_landmarks
from blindface.params import SubgroupsParams, validate
from blindface.subgroups.groups import Grouping, by_labels, by_landmarks, by_strength, everything, lip_gap
from blindface.subgroups.intervals import mean_intervals
from blindface.subgroups.kinds import DETAIL, LABEL_KINDS, SOURCES
from blindface.subgroups.stage import LABEL_NOTES, measure_subgroups
from blindface.subgroups.table import Methods, tidy_table

PARAMS = SubgroupsParams()


def landmarks(yaw: list[float], pitch: list[float] | None = None, faces: list[int] | None = None) -> Landmarks:
    """Faces whose pose and number are given; the eyes are 40 px apart, the lips 2, 4, 8, ... px."""
    count = len(yaw)
    points = np.zeros((count, 68, 2), np.float32)
    points[:, 42:48, 0] = 40
    points[:, 61:64, 1] = -(2.0 ** np.arange(1, count + 1))[:, None]
    kind = np.float32
    return Landmarks(
        found=np.ones(count, bool),
        points_128=points,
        points_64=points / 2,
        box=np.zeros((count, 4), kind),
        score=np.ones(count, kind),
        faces=np.array(faces or [1] * count, np.int32),
        yaw=np.array(yaw, kind),
        pitch=np.array(pitch or [0.0] * count, kind),
    )


def groups_by_pose(*given, **settings) -> dict[str, list[str]]:
    ids = [f"P/{number}" for number in range(len(given[0]))]
    found = by_landmarks(ids, landmarks(*given), settings or {"backend": "fan", "detector": "s3fd"}, PARAMS)
    return {group.kind.name: list(group.labels) for group in found}


def test_the_gap_of_the_lips_is_measured_in_distances_of_the_eyes():
    assert lip_gap(landmarks([0, 0, 0]).points_128) == pytest.approx([2 / 40, 4 / 40, 8 / 40])
    assert np.isnan(lip_gap(np.full((1, 68, 2), np.nan, np.float32))).all()


def test_yaw_counts_to_both_sides_and_a_bound_belongs_to_the_group_above_it():
    found = groups_by_pose([-9.9, 10.0, -25.0, 80.0])["yaw"]
    assert found == ["below 10°", "10–20°", "20–30°", "30° and more"]


def test_pitch_is_taken_from_the_median_because_its_zero_depends_on_the_backend():
    assert groups_by_pose([0.0] * 3, [-20.0, -8.0, 5.0])["pitch"] == [
        "down, more than 10°",
        "level",
        "up, 10° and more",
    ]


def test_faces_are_counted_and_the_detector_named():
    ids = ["a", "b", "c", "d"]
    found = by_landmarks(ids, landmarks([0] * 4, faces=[0, 1, 2, 7]), {"backend": "fan", "detector": "s3fd"}, PARAMS)[0]
    assert list(found.labels) == ["no face found", "1 face", "2 faces", "3 or more faces"]
    assert found.kind.source == "detector s3fd"


def test_an_image_without_landmarks_is_in_no_group_of_pose():
    found = groups_by_pose([float("nan"), 5.0], [float("nan"), 1.0])
    assert pd.isna(found["yaw"][0])
    assert pd.isna(found["pitch"][0])
    assert found["yaw"][1] == "below 10°"


def test_drawn_pose_takes_the_place_of_the_estimated_one():
    drawn = pd.DataFrame({"yaw": [33.0], "pitch": [-12.0], "mouth": ["closed"]}, index=["P/0"])
    found = by_landmarks(["P/0"], landmarks([0.0]), {"backend": "exact"}, PARAMS, drawn)
    assert [next(iter(group.labels)) for group in found] == ["1 face", "30° and more", "down, more than 10°", "closed"]
    assert {group.kind.source for group in found[1:]} == {"exact: drawn so"}


def test_whole_numbers_are_grouped_evenly_and_named_by_their_ends():
    draws = pd.DataFrame({"id": list("abcdefghijk"), "k": range(1, 12), "sigma": np.linspace(0.5, 10.5, 11)})
    draws = draws.assign(s=64, delta=1.5, q=range(90, 101))
    found = {group.kind.name: group for group in by_strength("objective2", draws, 5)}
    assert found["k"].order == ("1–3", "4–6", "7–9", "10–11")
    assert found["k"].labels["c"] == "1–3"
    assert found["k"].labels["k"] == "10–11"
    assert found["sigma"].order[0] == "0.50–2.50"
    assert found["sigma"].labels["k"] == "8.50–10.50"
    assert set(found["s"].labels) == {"64"}
    assert found["q"].labels.notna().all()


def test_one_strength_for_all_is_one_group():
    draws = pd.DataFrame({"id": ["a", "b"], "k": 3, "sigma": 2.5, "s": 64, "delta": 0.0, "q": 80})
    assert by_strength("objective1", draws, 5)[1].order == ("2.5",)
    for group in by_strength("objective1", draws, 5):
        assert group.labels.nunique() == 1
        assert group.order == (group.labels.iloc[0],)


def test_intervals_are_those_of_the_metrics_own_bootstrap():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 3))
    values[::7, 1] = np.nan
    counts, means, lows, highs = mean_intervals(values, 200, 11)
    for column in range(3):
        wanted = bootstrap_mean(values[:, column], 200, 11)
        assert wanted is not None
        assert counts[column] == wanted.count
        assert means[column] == pytest.approx(wanted.mean)
        assert (lows[column], highs[column]) == pytest.approx((wanted.low, wanted.high))


def test_one_image_has_a_mean_and_no_interval_and_none_has_neither():
    counts, means, lows, highs = mean_intervals(np.array([[2.0, np.nan]]), 100, 1)
    assert counts.tolist() == [1, 0]
    assert means[0] == 2
    assert np.isnan([means[1], *lows, *highs]).all()


def scores(shift: float = 0.0, count: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    ids = [f"P{number // 4:02d}/P{number // 4:02d}_{number % 4:04d}" for number in range(count)]
    base = rng.normal(20, 2, count)
    ratio = np.full(count, 0.25)
    ratio[0] = 4.0
    frame = pd.DataFrame({"id": ids, "mse": 0.1, "psnr": base + shift, "lpips_squeeze": 0.5 - shift / 10})
    return frame.assign(high_frequency_ratio=ratio, identity=np.where(np.arange(count) < 5, np.nan, 0.3 + shift))


def methods(**given: pd.DataFrame) -> Methods:
    given = given or {"blind1": scores(), "objective1": scores(2.0), "objective2": scores(1.0)}
    sees = {"blind1": "objective1", "objective1": "objective1", "objective2": "objective2"}
    return Methods(given, sees, {"objective1": "blind1", "objective2": "blind2"})


def halves() -> Grouping:
    """The first ten images in one group, the next twenty in another, ten without label."""
    ids = scores()["id"]
    labels = pd.Series([*["few"] * 10, *["many"] * 20, *[pd.NA] * 10], index=ids, dtype="string")
    return Grouping(LABEL_KINDS["predicted"][3], labels, ("many", "few", "nobody"))


def row_of(table: pd.DataFrame, **wanted: object) -> pd.Series:
    found = table[np.logical_and.reduce([table[name] == value for name, value in wanted.items()])]
    assert len(found) == 1, f"{len(found)} rows of {wanted}"
    return found.iloc[0]


def test_a_row_holds_count_people_mean_and_interval_of_its_group():
    row = row_of(tidy_table(methods(), [halves()], 300, 7, 12), group="few", method="objective1", metric="psnr")
    values = scores(2.0)["psnr"].to_numpy()[:10]
    wanted = bootstrap_mean(values, 300, 7, people_of(scores()["id"][:10]))
    assert (row["n"], row["people"], bool(row["small"])) == (10, 3, True)
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((values.mean(), wanted.low, wanted.high))
    assert row["source"] == "predicted by Facer, not the official LFW attributes"


def test_gain_is_the_paired_difference_to_the_blind_image():
    frames = {"blind1": scores(), "objective1": scores(2.0).assign(psnr=lambda frame: frame["psnr"] ** 1.05)}
    table = tidy_table(methods(**frames), [everything(list(scores()["id"]))], 300, 7, 30)
    row = row_of(table, metric="psnr", method="objective1")
    wanted = paired_difference(frames["objective1"], frames["blind1"], "psnr", 300, 7)
    assert (row["gain"], row["gain_low"], row["gain_high"]) == pytest.approx((wanted.mean, wanted.low, wanted.high))


def test_a_blind_image_and_a_method_whose_blind_images_were_not_scored_have_no_gain():
    table = tidy_table(methods(), [halves()], 50, 7, 12)
    assert table[table["method"].isin(["blind1", "objective2"])]["gain"].isna().all()
    assert table[table["method"] == "objective1"]["gain"].notna().all()


def test_images_without_a_value_do_not_count_and_empty_groups_have_no_row():
    table = tidy_table(methods(), [halves()], 50, 7, 12)
    assert row_of(table, group="few", method="blind1", metric="identity")["n"] == 5
    assert "nobody" not in set(table["group"])
    assert "mse" not in set(table["metric"])


def test_strength_groups_only_the_methods_that_saw_these_blind_images():
    ids = list(scores()["id"])
    draws = pd.DataFrame({"id": ids, "k": 1, "sigma": 1.0, "s": 64, "delta": 0.0, "q": 80})
    table = tidy_table(methods(), by_strength("objective1", draws, 5), 20, 7, 30)
    assert set(table["method"]) == {"blind1", "objective1"}
    assert set(table["kind"]) == {"k", "sigma", "s", "delta", "q"}


def test_detail_is_told_in_octaves_and_in_shares_that_a_few_extremes_do_not_move():
    grouping = Grouping(DETAIL, everything(list(scores()["id"])).labels, ("all images",))
    table = tidy_table(methods(), [grouping], 20, 7, 30)
    values = {name: row_of(table, method="blind1", metric=name)["mean"] for name in set(table["metric"])}
    assert values["high_frequency_ratio"] == pytest.approx((39 * 0.25 + 4) / 40)
    assert values["detail_octaves"] == pytest.approx((39 * -2 + 2) / 40)
    assert values["detail_below_half"] == pytest.approx(39 / 40)
    assert values["detail_above_double"] == pytest.approx(1 / 40)


def test_the_order_of_images_and_methods_moves_no_number():
    shuffled = {name: scores(s).sample(frac=1, random_state=1) for name, s in (("objective1", 2.0), ("blind1", 0.0))}
    plain = {"blind1": scores(), "objective1": scores(2.0)}
    keys = ["group", "method", "metric"]
    first, second = (
        tidy_table(methods(**given), [halves()], 100, 7, 12).sort_values(keys, ignore_index=True)
        for given in (plain, shuffled)
    )
    pd.testing.assert_frame_equal(first, second)


def write_files(folder: Path) -> dict[str, Path]:
    frame = scores()
    ids = list(frame["id"])
    paths = {name: folder / f"{name}.parquet" for name in ("landmarks", "attributes", "pairs", "blind1", "objective1")}
    part = landmarks([5.0] * 40)
    write_landmarks(
        paths["landmarks"], [(ids, part)], {"settings": json.dumps({"backend": "pfld", "detector": "yunet"})}
    )
    columns = {"id": pa.string()} | {
        name: pa.string()
        for name in ("smile", "mouth", "expression", "eyewear", "hat", "ethnic_group", "gender", "gender_second")
    }
    with ImageTableWriter(paths["attributes"], columns, metadata={"source": "predicted", "reason": ""}) as writer:
        labels = {name: ["one"] * 20 + ["other"] * 18 for name in columns}
        writer.append(labels | {"id": ids[:38]}, {})
    draws = {"k": 3, "sigma": 1.0, "s": 64, "delta": 2.0, "q": 80}
    pd.DataFrame({"id": ids} | draws).to_parquet(paths["pairs"])
    for name, shift in (("blind1", 0.0), ("objective1", 2.0)):
        scores(shift).to_parquet(paths[name])
    return paths


def command(paths: dict[str, Path], folder: Path, *more: str) -> list[str]:
    words = ["subgroups", "--params", '{"evaluate": {"bootstrap": 50}}', "--output", str(folder / "s.csv")]
    words += ["--notes", str(folder / "s.json"), "--landmarks", str(paths["landmarks"])]
    for name in ("blind1", "objective1"):
        words += ["--images", f"{name}={paths[name]}", "--inputs", f"{name}=objective1"]
    return [*words, "--blind", "objective1=blind1", "--pairs", f"objective1={paths['pairs']}", *more]


def test_the_command_writes_the_table_and_says_what_its_groups_are(tmp_path):
    paths = write_files(tmp_path)
    result = CliRunner().invoke(app, command(paths, tmp_path, "--attributes", str(paths["attributes"])))
    assert result.exit_code == 0, result.output
    table, notes = pd.read_csv(tmp_path / "s.csv"), json.loads((tmp_path / "s.json").read_text())
    assert list(dict.fromkeys(table["issue"])) == ["all", "a", "b", "c", "d", "e", "f", "strength"]
    assert notes["attributes"]["name"] == "predicted attributes (Facer and DeepFace), not the official LFW scores"
    kinds = {kind["kind"]: kind for kind in notes["kinds"]}
    assert kinds["hands"]["unavailable"] == "no model behind this file marks a hand before the face"
    assert kinds["gender"]["unlabelled"] == 2
    assert "not corrected" in " ".join(notes["notes"])
    assert "predictions of classifiers from photographs, not facts about persons" in notes["notes"][0]
    assert row_of(table, kind="gender", group="one", method="blind1", metric="psnr")["n"] == 20
    labelled = table[table["kind"].isin(["ethnic_group", "gender", "smile", "hat", "eyewear"])]
    assert labelled["source"].str.contains("not the official LFW attributes").all()


def test_without_labels_each_kind_says_why_it_has_no_groups(tmp_path):
    paths = write_files(tmp_path)
    assert CliRunner().invoke(app, command(paths, tmp_path)).exit_code == 0
    notes = json.loads((tmp_path / "s.json").read_text())
    assert not [sentence for sentence in notes["notes"] if "classifiers" in sentence]
    kinds = {kind["kind"]: kind for kind in notes["kinds"]}
    for name in ("gender", "ethnic_group", "hat", "eyewear", "hands", "smile"):
        assert kinds[name]["unavailable"] == "no file of labels was given"
    assert kinds["yaw"]["unavailable"] is None


def test_every_source_of_labels_says_what_kind_of_knowledge_they_are():
    assert set(LABEL_NOTES) == set(SOURCES)
    assert LABEL_NOTES["official"] == LABEL_NOTES["predicted"]
    assert "drawn from" in LABEL_NOTES["drawn"]
    assert "classifiers" not in LABEL_NOTES["drawn"]


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    paths = write_files(tmp_path)
    for folder in ("one", "two"):
        assert CliRunner().invoke(app, command(paths, tmp_path / folder)).exit_code == 0
    for name in ("s.csv", "s.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_unknown_objective_is_one_sentence(tmp_path):
    result = CliRunner().invoke(app, command(write_files(tmp_path), tmp_path, "--inputs", "sequence=objective3"))
    assert isinstance(result.exception, InputError)
    assert "--inputs names the objective 'objective3': known are objective1 and objective2" in str(result.exception)


def test_scores_without_images_are_refused(tmp_path):
    empty = Methods({"blind1": scores().iloc[:0]}, {}, {})
    with pytest.raises(InputError, match="evaluate a method first"):
        measure_subgroups(empty, None, None, {}, PARAMS, 10, 1, tmp_path / "a.csv", tmp_path / "a.json")


@pytest.mark.parametrize("values", [{"yaw": [20, 10]}, {"mouth": [-1]}, {"mouth": [0.1, 0.1]}])
def test_bounds_of_groups_must_rise(values):
    with pytest.raises(ParameterError, match="positive bounds in rising order"):
        validate({"subgroups": values})


def test_labels_of_other_photographs_leave_a_kind_without_groups():
    labels = pd.DataFrame(
        {kind.name if kind.name != "mouth_label" else "mouth": ["x"] for kind in LABEL_KINDS["official"]}
    )
    for group in by_labels(["A/A_0001"], "official", labels.set_axis(["B/B_0001"])):
        assert group.kind.unavailable == "none of these images has such a label"
        assert group.order == ()
