"""Tracking against a real sqlite store: while a model trains, and afterwards from its files."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blindface.base.errors import InputError
from blindface.networks.model_file import load_generator
from blindface.params import TrackParams
from blindface.restoration.stage import restore_images
from blindface.tracking import Tracker, attach_scores, import_run, read_note, record, start_tracking, store, tracker
from tests.unit.tracking.fakes import FACTS, finish_run, make_run, scores_of, write_rows, write_sample

SOURCE = Path(__file__).parents[3] / "src"


def new_store(empty_store: Path, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture
def uri(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return new_store(empty_store, tmp_path)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_run(tmp_path / "models" / "objective1")


def runs_of(uri: str) -> list[Any]:
    client = store.open_client(uri)
    experiment = client.get_experiment_by_name("faces")
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def only_run(uri: str) -> Any:
    (run,) = runs_of(uri)
    return run


def everything(uri: str) -> dict[str, Any]:
    """All that the store knows of its only run, ids and places left out."""
    client, run = store.open_client(uri), only_run(uri)
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    model = client.get_logged_model(run.data.tags["blindface.model_id"])
    names = ["run.json", "history.csv", "system.jsonl", "samples/epoch00001.png", "samples/epoch00002.png"]
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "times": (run.info.start_time, run.info.end_time),
        "params": run.data.params,
        "tags": {name: value for name, value in run.data.tags.items() if name != "blindface.model_id"},
        "points": {
            name: sorted((point.step, point.timestamp, point.value) for point in history)
            for name, history in histories.items()
        },
        "files": {name: (Path(run.info.artifact_uri) / name).read_bytes() for name in names},
        "model": (model.name, model.params, model.tags, sorted((m.key, m.value) for m in model.metrics)),
        "weights": (Path(model.artifact_location) / "data/generator.safetensors").read_bytes(),
    }


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "waited in vain"
        time.sleep(0.02)


def started(uri: str, folder: Path, fresh: bool = True) -> Tracker:
    folder.mkdir(parents=True, exist_ok=True)
    return start_tracking(TrackParams(uri=uri, experiment="faces"), folder, FACTS, fresh)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "EVERY", 0.05)


@pytest.mark.usefixtures("_quick")
def test_a_run_is_followed_while_it_trains_and_ends_as_if_imported(
    uri: str, empty_store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    with started(uri, folder):
        until(lambda: (folder / "tracking.json").exists())
        write_rows(folder, 2)
        write_sample(folder, 1)
        until(lambda: "step2/pixel" in only_run(uri).data.metrics)
        assert only_run(uri).info.status == "RUNNING"
        assert "step1/pixel" in only_run(uri).data.metrics
        write_rows(folder)
        write_sample(folder, 2)
        finish_run(folder)
    live = everything(uri)
    assert live["status"] == "FINISHED"
    assert len(live["points"]["system/cpu_utilization_percentage"]) == 1
    other = new_store(empty_store, tmp_path / "other")
    assert import_run(folder, other, "faces")[1]
    assert everything(other) == live
    assert capfd.readouterr() == ("", "")


def test_an_imported_run_lacks_nothing(uri: str, model: Path) -> None:
    run_id, new = import_run(model, uri, "faces")
    assert new
    found = everything(uri)
    assert found["name"] == "objective1 tiny 2026-01-02 10:00"
    assert found["times"] == (1767348000000, 1767351600000)  # 10:00 and 11:00 UTC of 2026-01-02
    assert found["params"] == {
        "train.epochs": "2",
        "train.objective.batch_size": "4",
        "train.objective.pixel.final": "[1, 2, 3]",
        "pairs.kernel": "radius",
        "pairs.objective.u": "16",
        "data.images": "88",
    }
    expected = {"commit": "abc123-dirty", "overlay": "tiny", "device": "cpu x86_64", "objective": "objective1"}
    expected |= {"data.targets": "f00", "versions.torch": "2", "losses_left_out.perceptual": "no weights"}
    assert found["tags"].items() >= expected.items()
    assert len(found["tags"]["data"]) == 16
    assert found["points"]["step1/pixel"] == [(1, 1767348600250, 0.5), (2, 1767349200500, 1e-07)]
    assert found["points"]["training/learning_rate"] == [(1, 1767348600250, 0.001), (2, 1767349200500, 0.0005)]
    assert found["points"]["system/cpu_utilization_percentage"] == [(0, 1767348060000, 51), (1, 1767348120000, 52)]
    assert found["points"]["summary/validation_psnr"] == [(2, 1767351600000, 21.25)]
    assert found["files"]["run.json"] == (model / "run.json").read_bytes()
    note = read_note(model)
    assert note is not None
    assert note.run_id == run_id
    assert list(asdict(note)) == ["uri", "experiment", "experiment_id", "run_id", "run_name", "record"]


def test_the_same_choice_has_the_same_name_in_both_objectives(model: Path) -> None:
    other = {**FACTS, "objective": "objective2", "params": {"train": {"objective2": {"batch_size": 2}}}}
    other["degradation"] = {"kernel": "radius", "objective2": {"u": 128}}
    assert record.parameters_of(other).items() >= {
        "train.objective.batch_size": "2", "pairs.objective.u": "128"
    }.items()  # fmt: skip


@pytest.mark.parametrize("objective", ["objective1", "objective2"])
def test_mlflow_loads_the_registered_model_and_restores_as_the_file_does(
    uri: str, tmp_path: Path, objective: str
) -> None:
    import mlflow.pyfunc

    folder = make_run(tmp_path / objective, objective)
    import_run(folder, uri, "faces")
    mlflow.set_tracking_uri(uri)
    loaded = mlflow.pyfunc.load_model(f"models:/blindface-{objective}@last")
    size = 16 if objective == "objective1" else 128
    images = np.random.default_rng(1).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    for weights in ("ema", "raw"):
        network = load_generator(folder / "generator.safetensors", weights)
        np.testing.assert_array_equal(
            loaded.predict(images, params={"weights": weights}), restore_images(network, images)[-1]
        )
    assert loaded.input_example.shape == (1, size, size, 3)
    assert loaded.predict(loaded.input_example).shape == (1, 128, 128, 3)
    assert loaded.metadata.signature.inputs.inputs[0].shape == (-1, size, size, 3)
    client = store.open_client(uri)
    found = client.get_logged_model(loaded.metadata.model_id)
    assert [output.model_id for output in only_run(uri).outputs.model_outputs] == [found.model_id]
    assert found.params == only_run(uri).data.params
    assert {metric.key: metric.value for metric in found.metrics}["summary/best_validation_psnr"] == 21.5
    assert not [path for path in Path(found.artifact_location).rglob("*") if path.suffix in (".pkl", ".pth", ".bin")]


def test_the_alias_last_stays_with_the_run_that_ended_last(uri: str, model: Path, tmp_path: Path) -> None:
    older = make_run(tmp_path / "older")
    content = json.loads((older / "run.json").read_text())
    content |= {"started": "2025-01-01T00:00:00+00:00", "finished": "2025-01-01T01:00:00+00:00"}
    (older / "run.json").write_text(json.dumps(content))
    run_id, _ = import_run(model, uri, "faces")
    import_run(older, uri, "faces")
    client = store.open_client(uri)
    assert len(client.search_model_versions("name='blindface-objective1'")) == 2
    assert client.get_model_version_by_alias("blindface-objective1", "last").run_id == run_id


def test_a_second_import_changes_nothing(uri: str, model: Path) -> None:
    first, _ = import_run(model, uri, "faces")
    before = everything(uri)
    assert import_run(model, uri, "faces") == (first, False)
    assert everything(uri) == before


@pytest.mark.parametrize("broken", ["log_points", "log_model"])
def test_an_import_that_was_cut_off_is_completed(
    uri: str, empty_store: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def cut_off(*_: object) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(store.Store, broken, cut_off)
        with pytest.raises(InputError, match="gone"):
            import_run(model, uri, "faces")
    assert import_run(model, uri, "faces")[1]
    whole = new_store(empty_store, tmp_path / "whole")
    import_run(model, whole, "faces")
    assert everything(uri) == everything(whole)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_run_that_was_left_goes_on_as_the_same_run(
    uri: str, tmp_path: Path, error: type[BaseException], status: str
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(error), started(uri, folder):
        write_rows(folder, 2)
        raise error
    first = only_run(uri)
    assert first.info.status == status
    assert first.data.metrics["step2/pixel"] == 0.25
    with started(uri, folder, fresh=False):
        write_rows(folder)
        write_sample(folder, 1)
        write_sample(folder, 2)
        finish_run(folder)
    assert only_run(uri).info.run_id == first.info.run_id
    assert [point[0] for point in everything(uri)["points"]["step1/pixel"]] == [1, 2]
    assert len(everything(uri)["points"]["system/cpu_utilization_percentage"]) == 2


def test_what_a_continuation_may_change_does_not_make_another_run_of_it() -> None:
    from blindface.training.session.checkpoint import MAY_DIFFER

    assert {f"params.{name}" for name in record.MAY_CHANGE} == set(MAY_DIFFER)
    train = FACTS["params"]["train"]
    elsewhere = {**FACTS, "code": "newer", "params": {"train": {**train, "device": "cuda"}}}
    assert record.record_key(elsewhere) == record.record_key(FACTS)
    other = {**FACTS, "params": {"train": {**train, "epochs": 3}}}
    assert record.record_key(other) != record.record_key(FACTS)


def test_a_fresh_run_leaves_nothing_of_an_earlier_one_to_be_tracked(model: Path) -> None:
    start_tracking(None, model, FACTS, fresh=True)
    assert not (model / "system.jsonl").exists()
    assert not list((model / "samples").iterdir())


def test_histories_without_times_are_spread_over_the_run(uri: str, model: Path) -> None:
    (model / "history.csv").write_text("epoch,step,pixel\n1,1,0.5\n2,1,0.25\n")
    import_run(model, uri, "faces")
    points = everything(uri)["points"]["step1/pixel"]
    assert points == [(1, 1767349800000, 0.5), (2, 1767351600000, 0.25)]  # half and all of the hour from 10:00 UTC


def test_an_empty_uri_tracks_nothing_but_keeps_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with started("", tmp_path / "run"):
        write_rows(tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["history.csv", "system.jsonl"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [("history.csv", "epoch,pixel\n1,2\n", "not a training history"), ("run.json", "{", "not valid JSON")],
)
def test_broken_records_are_refused(uri: str, model: Path, name: str, text: str, reason: str) -> None:
    (model / name).write_text(text)
    with pytest.raises(InputError, match=reason):
        import_run(model, uri, "faces")
    assert runs_of(uri) == []


def test_missing_records_and_stores_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing"):
        import_run(tmp_path / "none", "sqlite:///x.db", "faces")
    with pytest.raises(InputError, match="cannot be used"):
        import_run(model, "sqlite:////proc/none/x.db", "faces")
    (model / "history.csv").unlink()
    with pytest.raises(InputError, match=r"history\.csv is missing"):
        import_run(model, "sqlite:///x.db", "faces")
    with pytest.raises(InputError, match=r"track\.uri is empty"):
        import_run(model, "", "faces")


def test_a_note_about_another_run_is_no_note(uri: str, model: Path) -> None:
    assert read_note(model) is None
    import_run(model, uri, "faces")
    content = json.loads((model / "run.json").read_text())
    (model / "run.json").write_text(json.dumps(content | {"started": "2026-02-02T10:00:00+00:00"}))
    assert read_note(model) is None


@pytest.mark.parametrize("noted", [True, False])
def test_scores_join_the_run_of_their_model_once(uri: str, model: Path, tmp_path: Path, noted: bool) -> None:
    import_run(model, uri, "faces")
    if not noted:
        (model / "tracking.json").unlink()  # then by the SHA-256 of the weights
    track = TrackParams(uri=uri, experiment="faces")
    scores = scores_of(tmp_path / "objective1.json")
    for _ in range(2):
        attach_scores(scores, [model], track)
    attach_scores(scores_of(tmp_path / "sequence.json", "sequence"), [model], track)
    client, run = store.open_client(uri), only_run(uri)
    points = client.get_metric_history(run.info.run_id, "test/psnr")
    assert [(point.step, point.value) for point in points] == [(2, 23.5)]
    assert run.data.metrics["test/psnr_batch"] == 22.75
    assert run.data.metrics["test/sequence/psnr"] == 23.5
    assert "test/niqe" not in run.data.metrics
    assert len(client.list_artifacts(run.info.run_id, "scores")) == 2
    logged = client.get_logged_model(run.data.tags["blindface.model_id"])
    assert "test/psnr" in {metric.key for metric in logged.metrics}
    attach_scores(scores_of(tmp_path / "objective1.json", psnr=20.0), [model], track)
    assert only_run(uri).data.metrics["test/psnr"] == 20.0
    assert run.info.status == "FINISHED"


def test_scores_of_a_machine_without_store_come_with_the_import(uri: str, model: Path, tmp_path: Path) -> None:
    import_run(model, uri, "faces", "by hand", [scores_of(tmp_path / "scores.json")])
    run = only_run(uri)
    assert (run.info.run_name, run.data.metrics["test/psnr"]) == ("by hand", 23.5)


def test_scores_without_a_run_are_told_and_make_no_store(
    uri: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = scores_of(tmp_path / "scores.json")
    attach_scores(scores, [model], TrackParams(uri=f"sqlite:///{tmp_path}/none.db"))
    assert not (tmp_path / "none.db").exists()
    assert capsys.readouterr().err == ""
    attach_scores(scores, [model], TrackParams(uri=uri, experiment="faces"))
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert f"import-run --model-dir {model} --scores {scores}" in text


def test_mlflow_is_imported_in_one_module_and_by_no_start(tmp_path: Path) -> None:
    importers = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "mlflow" for name in names):
                importers.add(path.relative_to(SOURCE).as_posix())
    assert importers == {"blindface/tracking/store.py"}
    code = "import sys, blindface.cli, blindface.training.session.engine, blindface.tracking.restorer; "
    code += "sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
