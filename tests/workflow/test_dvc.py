"""DVC over Snakemake, end to end: in a clone with a remote in a local folder, on a dozen rendered faces.

The tests stand in the order of a day's work and build on each other.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.running import ROOT, Laboratory, merged, run, stages_run

pytestmark = pytest.mark.slow

MICRO = yaml.safe_load((Path(__file__).parent / "micro.yaml").read_text())
CLEAN = "Data and pipelines are up to date."
AFTER_TRAINING_2 = ["train-objective2", "evaluate-both", "evaluate-objective2", "report"]
RANGE = [0.0, 2.0]


@pytest.fixture(scope="session")
def storage(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory, storage) -> Laboratory:
    """The experiment run once, locked, committed, tagged `first` and pushed.

    Snakemake alone makes it, which takes one start instead of one per stage; `dvc commit` then locks what it made.
    """
    made = Laboratory.from_working_tree(tmp_path_factory.mktemp("laboratory"))
    path = made.folder / "params.yaml"
    path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()), MICRO), sort_keys=False))
    made.run("python", "workflow/dvc_stages.py")
    made.dvc("remote", "add", "--default", "storage", str(storage))
    made.commit("The experiment")
    made.run("snakemake", "--set-threads", "restore=1", "evaluate=1")
    made.dvc("commit", "--force")
    made.commit("Its results")
    made.git("tag", "first")
    made.dvc("push")
    return made


@pytest.fixture(scope="session")
def clone(laboratory, tmp_path_factory) -> Laboratory:
    """What a colleague gets: a fresh clone with the files pulled."""
    folder = tmp_path_factory.mktemp("colleague") / "blindface"
    run(["git", "clone", "--quiet", str(laboratory.folder), str(folder)])
    made = Laboratory(folder)
    made.dvc("pull")
    return made


def locked(laboratory: Laboratory) -> dict[str, str]:
    """MD5 by path, of all files that dvc.lock says a stage made."""
    stages = yaml.safe_load((laboratory.folder / "dvc.lock").read_text())["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def as_locked(laboratory: Laboratory) -> None:
    """Each file that the lock names has the bytes that the lock says."""
    for path, digest in locked(laboratory).items():
        if (laboratory.folder / path).is_file():
            assert md5_of(laboratory.folder / path) == digest, path


def nothing_to_do(laboratory: Laboratory) -> None:
    assert CLEAN in laboratory.dvc("status")
    assert laboratory.plan() == {}


def test_what_snakemake_made_and_dvc_locked_leaves_nothing_to_do(laboratory):
    nothing_to_do(laboratory)
    assert stages_run(laboratory.dvc("repro")) == []


def test_a_stage_made_by_dvc_is_the_one_that_snakemake_made(laboratory):
    before = locked(laboratory)
    output = laboratory.dvc("repro", "--force", "--single-item", "split")
    assert stages_run(output) == ["split"]
    assert locked(laboratory)["data/split.csv"] == before["data/split.csv"]
    nothing_to_do(laboratory)
    laboratory.git("checkout", "--quiet", "dvc.lock")
    laboratory.dvc("checkout")


def test_results_and_lock_are_in_git_and_large_files_are_not(laboratory):
    names = laboratory.git("ls-files").split()
    assert {"dvc.lock", "reports/metrics.json", "reports/metrics.md", "reports/plots/metrics.csv"} <= set(names)
    large = ("data/", "logs/", ".snakemake/", "reports/index.html", "reports/figures/")
    assert [name for name in names if name.startswith(large)] == ["reports/figures/.gitignore"]


def test_a_fresh_clone_has_nothing_to_do_after_a_pull(clone):
    nothing_to_do(clone)


def test_plain_snakemake_in_the_clone_knows_what_a_parameter_touches(clone):
    plan = clone.plan("--config", "train={progressive: {objective2: {pixel: {final: [90.0, 90.0, 90.0]}}}}")
    assert plan["train"] == 1
    assert not {"fetch_photographs", "make_targets", "degrade", "check_data", "detect_landmarks"} & set(plan)
    assert set(clone.plan("--config", "report={title: Another}")) <= {"all", "write_report"}


def test_a_queued_loss_weight_retrains_its_objective_and_what_follows(clone):
    before = locked(clone)
    value = "train.progressive.objective2.pixel.final=[90.0,90.0,90.0]"
    clone.dvc("exp", "run", "--queue", "--name", "pixels", "--set-param", value)
    output = clone.dvc("exp", "run", "--run-all")
    assert sorted(stages_run(output)) == sorted(AFTER_TRAINING_2)
    assert "pixels" in clone.dvc("exp", "list")
    nothing_to_do(clone)
    clone.dvc("exp", "apply", "pixels")
    after = locked(clone)
    changed = {path.split("/")[2] for path in after if path.startswith("data/models") and after[path] != before[path]}
    assert changed == {"progressive2"}
    as_locked(clone)
    record = json.loads((clone.folder / "data/models/progressive2/run.json").read_text())
    assert "90.0, 90.0, 90.0" in json.dumps(record)
    nothing_to_do(clone)


def test_experiments_are_shown_and_compared(clone):
    shown = clone.dvc("exp", "show", "--csv")
    assert "pixels" in shown
    assert "reports/metrics.json:progressive2.psnr" in shown or "progressive2.psnr" in shown
    difference = clone.dvc("exp", "diff", "first", "pixels", "--all", "--md")
    assert "progressive2.psnr" in difference
    changed = json.loads(clone.run("dvc", "params", "diff", "first", "--json").stdout)["params.yaml"]
    assert list(changed) == ["train.progressive.objective2.pixel.final"]
    metrics = json.loads(clone.run("dvc", "metrics", "diff", "first", "--json").stdout)["reports/metrics.json"]
    assert {name.partition(".")[0] for name in metrics} <= {"progressive2", "sequence", "parallel"}
    clone.dvc("plots", "diff", "first", "--out", "compared")
    page = (clone.folder / "compared/index.html").read_text()
    assert "Validation PSNR, progressive2" in page
    assert "Metrics of each method" in page


def test_an_experiment_with_a_report_option_reruns_the_report_alone(laboratory):
    output = laboratory.dvc("exp", "run", "--name", "title", "--set-param", "report.title=Another title")
    assert stages_run(output) == ["report"]
    nothing_to_do(laboratory)
    laboratory.commit("Another title")


def test_a_degradation_range_of_objective_1_leaves_objective_2_alone(laboratory):
    before = locked(laboratory)
    laboratory.set("pairs.objective1.delta", RANGE)
    output = laboratory.dvc("repro", "check-objective1", "train-objective2")
    assert stages_run(output) == ["pairs-objective1", "check-objective1"]
    draws = pd.read_parquet(laboratory.folder / "data/pairs/objective1/train.parquet", columns=["delta"])["delta"]
    assert draws.between(*RANGE).all()
    after = locked(laboratory)
    made = {path for path in after if after[path] != before[path] and not path.startswith(".snakemake")}
    assert made >= {f"data/pairs/objective1/{part}.parquet" for part in ("train", "validation", "test")}
    assert made <= {path for path in after if path.startswith(("data/pairs/objective1/", "data/checked/objective1"))}
    as_locked(laboratory)
    assert "train-objective1" in laboratory.dvc("status")
    assert CLEAN in laboratory.dvc("status", "check-objective1", "train-objective2")


def test_an_older_commit_comes_back_whole(laboratory):
    laboratory.git("commit", "--quiet", "--all", "--message", "Less noise")
    laboratory.git("checkout", "--quiet", "first")
    laboratory.dvc("checkout")
    nothing_to_do(laboratory)
    as_locked(laboratory)


def test_the_command_that_the_page_shows_is_the_stage_s_own():
    shown = re.findall(r"^> (snakemake .*)$", (ROOT / "docs/dvc.md").read_text(), re.MULTILINE)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert shown == [stages["report"]["cmd"]]


def test_dvc_yaml_is_what_the_graph_says():
    result = run(["python", "workflow/dvc_stages.py", "--check"], ROOT, check=False)
    assert result.returncode == 0, result.stderr
