"""Stores that fail: training goes on, and nothing is lost."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blindface.params import TrackParams
from blindface.tracking import attach_scores, import_run, start_tracking, store, tracker
from tests.unit.tracking.fakes import FACTS, finish_run, scores_of, write_rows, write_sample
from tests.unit.tracking.test_tracking import everything, new_store, only_run, runs_of, until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    for name, value in {"EVERY": 0.05, "LONGEST_PAUSE": 0.2, "FINISH_LIMIT": 20.0, "LAST_PAUSE": 0.1}.items():
        monkeypatch.setattr(tracker, name, value)


def train_as_if(uri: str, folder: Path) -> float:
    """What training does with a tracker; returns the seconds that it took until the tracker was asked to finish."""
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with start_tracking(TrackParams(uri=uri, experiment="faces"), folder, FACTS, fresh=True):
        for epoch in (1, 2):
            write_rows(folder, epoch + 1)
            write_sample(folder, epoch)
        finish_run(folder)
        return time.monotonic() - start


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_store_out_of_reach_is_told_and_the_run_can_be_imported(
    empty_store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    assert train_as_if("http://127.0.0.1:9", folder) < 5
    first, last = capsys.readouterr().err.splitlines()
    assert "cannot be used" in first
    assert first.endswith("training goes on")
    assert last.endswith(f"later: bring the run in with 'blindface import-run --model-dir {folder}'")
    uri = new_store(empty_store, tmp_path / "later")
    import_run(folder, uri, "faces")
    assert everything(uri)["points"]["step1/pixel"][-1][2] == 1e-07


def test_a_server_that_never_answers_holds_nobody_up(
    silent_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracker, "FINISH_LIMIT", 1.0)
    start = time.monotonic()
    assert train_as_if(silent_server, tmp_path / "run") < 5
    assert time.monotonic() - start < 10
    assert "no answer in 1 s" in capsys.readouterr().err
    start = time.monotonic()
    scores = scores_of(tmp_path / "scores.json")
    attach_scores(scores, [tmp_path / "run"], TrackParams(uri=silent_server), limit=0.5)
    assert time.monotonic() - start < 5
    assert "did not answer" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["/proc/none/mlflow.db", "/dev/null/mlflow.db"])
def test_a_place_that_cannot_be_written_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    train_as_if(f"sqlite:///{place}", tmp_path / "run")
    assert "import-run" in capsys.readouterr().err
    assert (tmp_path / "run" / "run.json").exists()


def test_without_mlflow_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    train_as_if("sqlite:///never.db", tmp_path / "run")
    assert "not installed" in capsys.readouterr().err


def test_a_store_that_breaks_on_the_way_and_comes_back_has_all_in_the_end(
    empty_store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    uri, folder = new_store(empty_store, tmp_path / "store"), tmp_path / "run"
    database = tmp_path / "store" / "mlflow.db"
    folder.mkdir()
    with start_tracking(TrackParams(uri=uri, experiment="faces"), folder, FACTS, fresh=True) as following:
        write_rows(folder, 2)
        until(lambda: bool(runs_of(uri)) and "step2/pixel" in only_run(uri).data.metrics)
        kept = database.read_bytes()
        database.write_bytes(b"no database any more" * 1000)
        write_rows(folder)
        until(lambda: following.error is not None)
        database.write_bytes(kept)
        until(lambda: following.error is None)
        write_sample(folder, 1)
        write_sample(folder, 2)
        finish_run(folder)
    text = capsys.readouterr().err
    assert "training goes on" in text
    assert "works again" in text
    assert [point[0] for point in everything(uri)["points"]["step1/pixel"]] == [1, 2]


def test_a_store_that_another_process_holds_is_waited_for_by_the_thread_alone(
    empty_store: Path,
    tmp_path: Path,
) -> None:
    uri, folder = new_store(empty_store, tmp_path / "store"), tmp_path / "run"
    folder.mkdir()
    holder = sqlite3.connect(tmp_path / "store" / "mlflow.db", isolation_level=None)
    with start_tracking(TrackParams(uri=uri, experiment="faces"), folder, FACTS, fresh=True):
        until(lambda: bool(runs_of(uri)))
        holder.execute("BEGIN EXCLUSIVE")
        start = time.monotonic()
        write_rows(folder)
        write_sample(folder, 1)
        write_sample(folder, 2)
        finish_run(folder)
        time.sleep(0.3)
        assert time.monotonic() - start < 5
        holder.execute("COMMIT")
    assert everything(uri)["status"] == "FINISHED"


def test_a_full_disk_stops_nobody(empty_store: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: sqlite meets a failing write, here as there."""
    uri, folder = new_store(empty_store, tmp_path / "store"), tmp_path / "run"
    code = "from tests.unit.tracking.test_failures import train_as_if, tracker; from pathlib import Path; import sys; "
    code += "tracker.EVERY = tracker.LAST_PAUSE = 0.1; train_as_if(sys.argv[1], Path(sys.argv[2]))"
    size = 200_000  # more than any file of the run has, less than the database has already
    assert (tmp_path / "store" / "mlflow.db").stat().st_size > 2 * size

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", code, uri, str(folder)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}", "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "import-run" in result.stderr
    assert "Traceback" not in result.stderr
    import_run(folder, uri, "faces")
    assert only_run(uri).info.status == "FINISHED"


HAMMER = """
import sys, time
from pathlib import Path
from blindface.params import TrackParams
from blindface.tracking import start_tracking, tracker
tracker.EVERY, tracker.LEAVE_LIMIT = 0.01, 200.0
uri, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir()
facts = {"objective": folder.name, "started": "2026-01-02T10:00:00+00:00"}
with start_tracking(TrackParams(uri=uri, experiment="faces"), folder, facts, True) as following:
    rows = []
    for epoch in range(1, 61):
        moment = f"2026-01-02T10:{epoch // 2:02d}:{30 * (epoch % 2):02d}+00:00"
        rows += [f"{epoch},{step},{epoch / step},{moment}" for step in (1, 2, 3)]
        new = folder / "new"
        new.write_text("\\n".join(["epoch,step,pixel,time", *rows]))
        new.replace(folder / "history.csv")
        time.sleep(0.05)
    following.finish("KILLED")
print(following.error or "all sent")
"""


def test_two_processes_that_start_together_share_one_new_store(tmp_path: Path) -> None:
    """Both make the tables, then write as often as they can: no point is lost."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, uri, str(tmp_path / name)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("objective1", "objective2")
    ]
    outputs = [process.communicate(timeout=240) for process in processes]
    assert [output[0].strip() for output in outputs] == ["all sent"] * 2, outputs
    client, runs = store.open_client(uri), runs_of(uri)
    assert sorted(run.data.tags["objective"] for run in runs) == ["objective1", "objective2"]
    for run in runs:
        for step in (1, 2, 3):
            points = client.get_metric_history(run.info.run_id, f"step{step}/pixel")
            assert sorted((point.step, point.value) for point in points) == [(e, e / step) for e in range(1, 61)]
