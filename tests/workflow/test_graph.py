"""The graph: it stands, it reruns what a change touches, and a user's mistake is one sentence."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.running import ROOT, jobs_of, snakemake

sys.path.insert(0, str(ROOT / "workflow"))

import experiment


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
        "measure_subgroups": 1,
        "write_report": 1,
    }


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["train={epoch: 3}"], "unknown parameter 'train.epoch', did you mean 'epochs'?"),
        (["train={epochs: 0}"], "parameter 'train.epochs' is '0': input should be greater than or equal to 1"),
    ],
)
def test_a_bad_parameter_stops_before_any_rule_with_one_sentence(tmp_path, values, sentence):
    result = snakemake("--cores", "1", "-n", "--config", *values, directory=tmp_path, check=False)
    assert result.returncode != 0
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


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
    before, after = an_experiment(), an_experiment(train={"objective2": {"pixel": {"final": [1, 2, 3]}}})
    assert before.train_slice("objective1") == after.train_slice("objective1")
    assert before.train_slice("objective2") != after.train_slice("objective2")


def test_degradation_is_a_parameter_of_training_only_when_drawn_anew():
    assert "pairs" not in json.loads(an_experiment().train_slice("objective1"))
    fresh = an_experiment(train={"degradation": "fresh"})
    assert json.loads(fresh.train_slice("objective1"))["pairs"]["objective1"]["u"] == 16


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
    assert before.train_slice("objective1") == after.train_slice("objective1")
    assert json.loads(after.beside_training())["train"] == beside


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
    assert (jobs["train"], jobs["train_mae"], jobs["restore"]) == (2, 1, 7)
    asked = an_experiment(restore={"methods": ["mae2"]})
    assert asked.train_slice("objective2") == an_experiment().train_slice("objective2")


def test_mae_only_training_weighs_the_absolute_error_alone():
    values = json.loads(an_experiment().mae_slice("objective2"))["train"]
    weights = {
        name: values["objective2"][name]["final"] for name in ("adversarial", "pixel", "perceptual", "attention")
    }
    assert weights["pixel"] == [100.0, 100.0, 100.0]
    assert [weights[name] for name in ("adversarial", "perceptual", "attention")] == [[0.0] * 3] * 3
    assert "objective1" not in values
    other = an_experiment(train={"objective2": {"adversarial": {"final": [9, 9, 9]}}, "penalty": {"gradient": 1.0}})
    assert json.loads(other.mae_slice("objective2"))["train"] == values


@pytest.mark.parametrize(
    ("model", "name", "missing"),
    [
        ("models/objective1.safetensors", "progressive1", False),
        ("models/nothing.safetensors", "progressive1", True),
        ("models/nothing.safetensors", "mae1", False),
    ],
)
def test_a_file_to_begin_with_is_read_from_the_projects_root_and_not_by_mae_training(tmp_path, model, name, missing):
    result = snakemake(
        *("--cores", "1", "-n", "--config", f"train={{objective1: {{initial: {model}}}}}"),
        *("--", f"data/models/{name}/generator.safetensors"),
        directory=tmp_path,
        check=False,
    )
    assert (result.returncode != 0) == missing
    told = (result.stdout + result.stderr).partition("MissingInputException")[2]
    assert (os.path.relpath(ROOT / model, tmp_path) in told) == missing


def test_the_published_models_are_trained_on(tmp_path):
    overlays = ("config/light.yaml", "config/improved.yaml", "config/further.yaml")
    models = [f"data/models/progressive{number}/generator.safetensors" for number in (1, 2)]
    result = snakemake("--cores", "8", "-n", "-p", "--configfile", *overlays, "--", *models, directory=tmp_path)
    assert jobs_of(result)["train"] == 2
    for number in (1, 2):
        path = os.path.relpath(ROOT / "models" / f"objective{number}.safetensors", tmp_path)
        assert f'"initial": "{path}"' in result.stdout + result.stderr


def test_a_file_to_begin_with_is_named_as_seen_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = an_experiment(train={"objective1": {"initial": "models/objective1.safetensors"}})
    (path,) = given.initial("objective1")
    assert (tmp_path / path).resolve() == ROOT / "models" / "objective1.safetensors"
    assert json.loads(given.train_slice("objective1"))["train"]["objective1"]["initial"] == path
    assert json.loads(given.mae_slice("objective1")) == json.loads(an_experiment().mae_slice("objective1"))
    assert given.initial("objective2") == []
    assert given.train_slice("objective2") == an_experiment().train_slice("objective2")
    absolute = an_experiment(train={"objective1": {"initial": "/models/mine.safetensors"}})
    assert absolute.initial("objective1") == ["/models/mine.safetensors"]


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


def test_a_gpu_is_asked_for_only_where_it_is_of_use():
    automatic, on_cpu = an_experiment(), an_experiment(restore={"device": "cpu"}, evaluate={"device": "cpu"})
    assert (automatic.gpus("restore"), automatic.gpus("evaluate"), automatic.gpus("restore", of_use=False)) == (1, 1, 0)
    assert (on_cpu.gpus("restore"), on_cpu.gpus("evaluate")) == (0, 0)
