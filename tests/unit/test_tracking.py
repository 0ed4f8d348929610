"""Tracking against a real sqlite store, and against stores that fail."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from blindface.errors import InputError
from blindface.tracking import SilentTracker, import_run, start_tracking, store
from blindface.tracking.tracker import MlflowTracker

HISTORY = "epoch,step,pixel,psnr\n1,1,0.5,\n1,2,0.25,20.125\n2,1,0.1,1e-07\n"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with MLflow's tables, made once: that takes seconds."""
    pytest.importorskip("mlflow")
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    store.open_client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def uri(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "objective1"
    folder.mkdir()
    record = {
        "objective": "objective1",
        "params": {"learning_rate": 0.001, "objective1": {"pixel": {"final": [1, 2, 3]}}, "left_out": None},
        "versions": {"commit": "abc123"},
        "started": "2026-01-02T10:00:00+00:00",
        "finished": "2026-01-02T11:00:00+00:00",
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "history.csv").write_text(HISTORY)
    return folder


def only_run(uri: str) -> Any:
    client = store.open_client(uri)
    experiment = client.get_experiment_by_name("faces")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1
    return runs[0]


def test_a_run_is_tracked(uri: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "note.txt").write_text("hello")
    params = {"train": {"epochs": 2, "betas": [0.0, 0.99]}}
    with start_tracking(
        uri, "faces", "first", params, {"commit": "abc", "data": {"targets": "f00"}, "gpu": None}
    ) as tracker:
        tracker.log_metrics({"step1/pixel": 0.5}, 1)
        tracker.log_metrics({"step1/pixel": 0.25}, 2)
        tracker.log_artifact(tmp_path / "note.txt")
    run = only_run(uri)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"train.epochs": "2", "train.betas": "[0.0, 0.99]"}
    assert run.data.tags["data.targets"] == "f00"
    assert "gpu" not in run.data.tags
    client = store.open_client(uri)
    points = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "step1/pixel")]
    assert points == [(1, 0.5), (2, 0.25)]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["note.txt"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_the_status_tells_how_a_run_ended(uri: str, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), start_tracking(uri, "faces", "first", {}, {}):
        raise error
    assert only_run(uri).info.status == status


def test_an_empty_uri_tracks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with start_tracking("", "faces", "first", {}, {}) as tracker:
        tracker.log_metrics({"a": 1.0}, 1)
        tracker.log_artifact(tmp_path / "none")
    assert isinstance(tracker, SilentTracker)
    assert list(tmp_path.iterdir()) == []


def test_without_mlflow_training_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert isinstance(start_tracking("sqlite:///never.db", "faces", "first", {}, {}), SilentTracker)
    assert "not installed" in capsys.readouterr().err


def test_a_store_out_of_reach_is_told_once_and_soon(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mlflow")
    start = time.monotonic()
    tracker = start_tracking("http://127.0.0.1:9", "faces", "first", {}, {})
    assert isinstance(tracker, SilentTracker)
    assert time.monotonic() - start < 30
    assert capsys.readouterr().err.count("\n") == 1


def test_a_failure_on_the_way_is_told_once_and_then_silent(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mlflow")

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise OSError("disk is full\nand more")

    with MlflowTracker(Broken(), "run") as tracker:
        tracker.log_artifact(Path("x"))
        tracker.log_metrics({"a": 1.0}, 1)
        tracker.finish()
    assert capsys.readouterr().err.splitlines() == [
        "blindface: MLflow failed (disk is full); training goes on; bring the run in later with "
        "'blindface import-run --model-dir DIR'"
    ]


def test_an_imported_run_lacks_nothing(uri: str, model: Path) -> None:
    run_id, new = import_run(model, uri, "faces")
    assert new
    run = only_run(uri)
    assert (run.info.run_id, run.info.run_name, run.info.status) == (run_id, "objective1", "FINISHED")
    assert run.info.end_time - run.info.start_time == 3_600_000
    assert run.data.params == {"learning_rate": "0.001", "objective1.pixel.final": "[1, 2, 3]"}
    assert run.data.tags["versions.commit"] == "abc123"
    client = store.open_client(uri)
    found = {
        (name, point.step): point.value
        for name in run.data.metrics
        for point in client.get_metric_history(run_id, name)
    }
    assert found == {
        ("step1/pixel", 1): 0.5,
        ("step2/pixel", 1): 0.25,
        ("step2/psnr", 1): 20.125,
        ("step1/pixel", 2): 0.1,
        ("step1/psnr", 2): 1e-07,
    }
    for name in ("run.json", "history.csv"):
        assert Path(client.download_artifacts(run_id, name)).read_bytes() == (model / name).read_bytes()


def test_a_second_import_changes_nothing(uri: str, model: Path) -> None:
    first, _ = import_run(model, uri, "faces")
    assert import_run(model, uri, "faces") == (first, False)
    assert only_run(uri).info.run_id == first


def test_an_import_that_was_cut_off_is_completed(uri: str, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*_: object) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "send", cut_off)
        with pytest.raises(InputError, match="gone"):
            import_run(model, uri, "faces")
    run_id, new = import_run(model, uri, "faces")
    run = only_run(uri)
    assert (run.info.run_id, run.info.status, new) == (run_id, "FINISHED", True)
    assert run.data.metrics["step2/psnr"] == 20.125


def test_a_run_that_was_tracked_to_its_end_is_not_imported_again(uri: str, model: Path) -> None:
    with start_tracking(uri, "faces", "first", {}, {}) as tracker:
        tracker.log_artifact(model / "run.json")
    assert not import_run(model, uri, "faces")[1]
    only_run(uri)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [("history.csv", "epoch,pixel\n1,2\n", "not a training history"), ("run.json", "{", "not valid JSON")],
)
def test_broken_records_are_refused(uri: str, model: Path, name: str, text: str, reason: str) -> None:
    (model / name).write_text(text)
    with pytest.raises(InputError, match=reason):
        import_run(model, uri, "faces")


def test_missing_records_and_stores_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing"):
        import_run(tmp_path / "none", "sqlite:///x.db", "faces")
    (model / "history.csv").unlink()
    with pytest.raises(InputError, match=r"history\.csv is missing"):
        import_run(model, "sqlite:///x.db", "faces")
    with pytest.raises(InputError, match=r"track\.uri is empty"):
        import_run(model, "", "faces")


def test_two_runs_that_start_together_make_one_store(tmp_path):
    code = "import sys; from blindface.tracking.store import open_client, create_run; "
    code += "create_run(open_client(sys.argv[1]), 'faces', 'run', {}, None)"
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    processes = [subprocess.Popen([sys.executable, "-c", code, uri], stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
