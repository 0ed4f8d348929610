"""From photographs to report, twice: the same bytes, and nothing to do on a second call."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from blindface.base.files import sha256_file
from tests.pipeline.conftest import run_graph

pytestmark = pytest.mark.slow


def test_every_stage_leaves_its_files(first_run):
    for path in (
        "data/targets.parquet",
        "data/checked/objective1.json",
        "data/models/progressive1/generator.safetensors",
        "data/models/progressive2/history.csv",
        "data/restored/sequence.parquet",
        "data/scores/blind2.json",
        "reports/metrics.md",
        "reports/metrics.json",
        "reports/index.html",
        "reports/per_image.csv",
        "reports/subgroups.csv",
        "reports/subgroups.json",
    ):
        assert (first_run / path).stat().st_size > 0, path
    assert not list(first_run.rglob("*.partial*"))


def test_without_weights_the_table_says_na_and_why(first_run):
    text = (first_run / "reports/metrics.md").read_text()
    assert "n/a" in text
    scores = json.loads((first_run / "data/scores/progressive1.json").read_text())["metrics"]
    assert scores["lpips_squeeze"]["unavailable"]
    assert scores["psnr_batch"]["batch_mean"] > 5


def test_one_table_holds_every_image_of_every_method(first_run):
    table = pd.read_csv(first_run / "reports/per_image.csv")
    scores = {path.stem: json.loads(path.read_text()) for path in (first_run / "data/scores").glob("*.json")}
    assert table["method"].value_counts().to_dict() == {name: score["images"] for name, score in scores.items()}
    assert not table.duplicated(["method", "id"]).any()
    means = table.groupby("method").mean(numeric_only=True)
    for name, score in scores.items():
        assert means.loc[name, "psnr"] == pytest.approx(score["metrics"]["psnr"]["image_mean"], rel=5e-5)


def test_numbers_of_methods_are_chosen_on_the_validation_part_and_on_no_test_image(first_run):
    parts = pd.read_csv(first_run / "data/split.csv")["part"].value_counts()
    assert parts["validation"] == 4 != parts["test"]
    for method in ("classical1", "parallel"):
        chosen = json.loads((first_run / f"data/scores/{method}.json").read_text())["chosen"]
        assert (chosen["criterion"], chosen["images"]) == ("psnr", 4)
        assert chosen["means"][f"{chosen['value']:g}"] == max(chosen["means"].values())


def test_a_second_call_does_nothing(first_run):
    assert "Nothing to be done" in run_graph(first_run).stderr


def test_a_second_run_elsewhere_gives_the_same_bytes(first_run, tmp_path):
    run_graph(tmp_path)
    names = sorted(
        path.relative_to(first_run).as_posix()
        for pattern in (
            "data/**/*.parquet",
            "data/**/*.safetensors",
            "data/split.csv",
            "data/checked/*.json",
            "data/scores/*",
            "reports/per_image.csv",
        )
        for path in first_run.glob(pattern)
        if "checkpoints" not in path.parts
    )
    assert len(names) > 20
    different = [name for name in names if sha256_file(first_run / name) != sha256_file(tmp_path / name)]
    assert not different
    shutil.rmtree(tmp_path / "data")


def test_a_report_option_reruns_only_the_report(first_run):
    result = run_graph(first_run, "-n", "--config", "report={title: Another title}")
    assert "write_report" in result.stdout
    assert "rule train" not in result.stdout


def test_both_objectives_are_in_mlflow_with_their_test_metrics(first_run):
    from blindface.tracking import read_note
    from blindface.tracking.store import open_client

    client = open_client(f"sqlite:///{first_run}/mlflow.db")
    for objective in ("objective1", "objective2"):
        model = f"progressive{objective[-1]}"
        note = read_note(first_run / "data/models" / model)
        run = client.get_run(note.run_id)
        assert run.info.status == "FINISHED"
        assert run.info.run_name.startswith(f"{model} tiny")
        assert run.data.tags["overlay"].startswith("tiny")
        scores = json.loads((first_run / f"data/scores/{model}.json").read_text())["metrics"]
        assert run.data.metrics["test/psnr"] == scores["psnr"]["image_mean"]
        assert "test/sequence/psnr" in run.data.metrics
        points = client.get_metric_history(note.run_id, "step3/pixel")
        assert [point.step for point in points] == [1, 2]
        assert client.get_model_version_by_alias(f"blindface-{model}", "last").run_id == note.run_id
