"""The graph: it stands, it reruns what a change touches, and a user's mistake is one sentence."""

from __future__ import annotations

import json
import re
import shlex
import sys

import pytest

from tests.running import ROOT, jobs_of, snakemake

sys.path.insert(0, str(ROOT / "workflow"))

import experiment

from blindface.params import load_params
from blindface.params.progressive import LOSSES


def test_the_full_experiment_plans_without_a_network(tmp_path):
    result = snakemake("--cores", "8", "-n", "reports/metrics.md", directory=tmp_path)
    assert jobs_of(result) == {
        "fetch_photographs": 1,
        "fetch_weights": 3,
        "make_targets": 1,
        "split": 1,
        "degrade": 6,
        "detect_landmarks": 1,
        "check_data": 2,
        "train": 2,
        "restore": 8,
        "restore_steps": 2,
        "evaluate": 8,
        "fetch_attributes": 1,
        "measure_memorisation": 1,
        "measure_subgroups": 1,
        "write_report": 1,
    }


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["split={validatio: 3}"], "unknown parameter 'split.validatio', did you mean 'validation'?"),
        (["train={processes: 0}"], "parameter 'train.processes' is '0': input should be greater than or equal to 1"),
    ],
)
def test_a_bad_parameter_stops_before_any_rule_with_one_sentence(tmp_path, values, sentence):
    result = snakemake("--cores", "1", "-n", "--config", *values, directory=tmp_path, check=False)
    assert result.returncode != 0
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_braces_of_a_title_and_a_folder_arrive_as_written(tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.png").touch()
    overlay = {
        "fetch": {"source": "folder", "folder": "${WHERE}/faces"},
        "report": {"title": "{draft} ${HOME} {{x}} \U0001f600"},
    }
    (tmp_path / "own.yaml").write_text(json.dumps(overlay))
    words = ("-n", "-p", "--cores", "1", "--configfile", str(tmp_path / "own.yaml"), "--", "reports/metrics.md")
    plan = snakemake(*words, directory=tmp_path / "run", WHERE=str(tmp_path))
    told = plan.stdout + plan.stderr
    slices = {
        command: re.search(rf"blindface {command} --params ('[^']*')", told) for command in ("photographs", "report")
    }
    assert load_params([shlex.split(slices["report"][1])[0]]).report.title == overlay["report"]["title"]
    assert load_params([shlex.split(slices["photographs"][1])[0]]).fetch.folder == str(tmp_path / "faces")


def test_rules_pass_lint(tmp_path):
    assert "Congratulations" in snakemake("--lint", directory=tmp_path).stderr


def test_reading_the_graph_writes_nothing(tmp_path):
    for words in (["-n", "data/split.csv"], ["--list-rules"], ["--summary", "data/split.csv"]):
        snakemake("--cores", "1", *words, directory=tmp_path)
        # what Snakemake itself keeps for its next start
        written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        assert {name for name in written if not name.endswith((".snakemake.log", "latest.pkl"))} == set()


def an_experiment(**changes) -> experiment.Experiment:
    return experiment.Experiment(changes, ROOT)


def test_a_slice_holds_what_its_stage_reads_and_nothing_else():
    assert json.loads(an_experiment().slice("split.seed", "evaluate")).keys() == {"split", "evaluate"}
    assert "objective2" not in json.loads(an_experiment().pairs_slice("objective1"))["pairs"]


def test_a_loss_weight_of_objective2_leaves_objective1_alone():
    before, after = (
        an_experiment(),
        an_experiment(train={"progressive": {"objective2": {"pixel": {"final": [1, 2, 3]}}}}),
    )
    assert before.train_slice("progressive1") == after.train_slice("progressive1")
    assert before.train_slice("progressive2") != after.train_slice("progressive2")


def test_degradation_is_a_parameter_of_training_only_when_drawn_anew():
    assert "pairs" not in json.loads(an_experiment().train_slice("progressive1"))
    fresh = an_experiment(train={"progressive": {"degradation": "fresh"}})
    assert json.loads(fresh.train_slice("progressive1"))["pairs"]["objective1"]["u"] == 16


def test_a_metrics_network_touches_neither_landmarks_nor_training():
    before, after = an_experiment(), an_experiment(evaluate={"lpips": "alex"})
    assert [before.weights_slice(s) == after.weights_slice(s) for s in ("landmarks", "train", "evaluate")] == [
        True,
        True,
        False,
    ]


def test_what_changes_no_result_does_not_retrain():
    before = an_experiment()
    beside = {"processes": 2, "checkpoint_seconds": 5.0, "checkpoints": 3}
    after = an_experiment(track={"experiment": "other"}, train=beside)
    assert before.train_slice("progressive1") == after.train_slice("progressive1")
    assert json.loads(after.execution_settings())["train"] == beside


def test_the_data_of_one_objective_is_checked_without_the_others_ranges():
    changed = {"pairs": {"objective1": {"delta": [0.0, 3.0]}}}
    before, after = an_experiment(), an_experiment(**changed)
    assert before.check_slice("objective2") == after.check_slice("objective2")
    assert before.check_slice("objective1") != after.check_slice("objective1")


def test_mae_only_methods_cost_one_more_training_each_and_nothing_of_the_others(tmp_path):
    result = snakemake(
        *("--cores", "2", "-n", "reports/metrics.md", "--config", "restore={methods: [mae2, parallel]}"),
        directory=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    jobs = jobs_of(result)
    assert (jobs["train"], jobs["restore"]) == (3, 7)
    asked = an_experiment(restore={"methods": ["mae2"]})
    assert asked.train_slice("progressive2") == an_experiment().train_slice("progressive2")


def test_mae_only_training_weighs_the_absolute_error_alone():
    values = json.loads(an_experiment().train_slice("mae2"))["train"]
    finals = {name: values["progressive"]["objective2"][name]["final"] for name in LOSSES}
    assert finals.pop("pixel") == [100.0, 100.0, 100.0]
    assert {tuple(final) for final in finals.values()} == {(0.0, 0.0, 0.0)}
    assert "objective1" not in values["progressive"]
    loss = {"objective2": {"adversarial": {"final": [9, 9, 9]}}, "penalty": {"gradient": 1.0}}
    other = an_experiment(train={"progressive": loss})
    assert json.loads(other.train_slice("mae2"))["train"] == values


def test_a_method_reads_its_own_settings_only():
    before, after = an_experiment(), an_experiment(restore={"blend": [0.5], "methods": ["parallel"]})
    assert before.restore_slice("progressive1") == after.restore_slice("progressive1")
    assert before.restore_slice("parallel") != after.restore_slice("parallel")
    assert "strengths" in before.restore_slice("classical2")
    assert "display" not in before.restore_slice("parallel")
    assert json.loads(before.restore_slice("parallel"))["pairs"] == {"reduction": "linear"}


def test_an_external_folder_is_a_row_and_a_changed_file_in_it_is_noticed(tmp_path):
    folder = tmp_path / "theirs"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "a_0001.png").write_bytes(b"one")
    entry = f"{{name: theirs, objective: objective2, folder: {folder}}}"
    result = snakemake(
        *("--cores", "2", "-n", "reports/metrics.md", "--config", f"restore={{external: [{entry}]}}"),
        directory=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert (jobs_of(result)["import_external"], jobs_of(result)["evaluate"]) == (1, 9)
    before = experiment.folder_state(str(folder))
    (folder / "a" / "a_0001.png").write_bytes(b"another")
    assert experiment.folder_state(str(folder)) != before


def test_a_missing_folder_of_photographs_is_noticed_before_any_job(tmp_path):
    where = "fetch={source: folder, folder: faces of mine}"
    result = snakemake("--cores", "2", "-n", "data", "--config", where, directory=tmp_path, check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"{tmp_path}/faces of mine is no folder" in said
    assert "Traceback" not in said


def test_a_missing_folder_of_restored_images_is_noticed_before_any_job(tmp_path):
    entry = f"{{name: theirs, objective: objective2, folder: {tmp_path / 'absent'}}}"
    result = snakemake(
        *("--cores", "2", "-n", "reports/metrics.md", "--config", f"restore={{external: [{entry}]}}"),
        directory=tmp_path,
        check=False,
    )
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"{tmp_path}/absent is no folder" in said
    assert "Traceback" not in said


def test_a_gpu_is_asked_for_only_where_it_is_of_use():
    automatic, on_cpu = an_experiment(), an_experiment(restore={"device": "cpu"}, evaluate={"device": "cpu"})
    assert (automatic.gpus("restore"), automatic.gpus("evaluate"), automatic.gpus("restore", of_use=False)) == (1, 1, 0)
    assert (on_cpu.gpus("restore"), on_cpu.gpus("evaluate")) == (0, 0)
