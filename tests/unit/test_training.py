"""The engine: the same weights after any interruption, and what is said when it cannot go on."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from blindface import packed
from blindface.images import resize
from blindface.model_file import load_generator
from blindface.params import Params, validate
from blindface.training.checkpoint import BEST, list_checkpoints
from blindface.training.engine import TrainFiles, train

PARAMS = {
    "train": {
        "epochs": 3,
        "generator_channels": 8,
        "discriminator_channels": 4,
        "checkpoint_seconds": 0.02,
        "ema": 0.9,
        "flip": True,
        "degradation": "fresh",
        "learning_rate_decay": 0.5,
        "perceptual": {"backbone": "none"},
        "objective1": {
            "batch_size": 4,
            "perceptual": {"final": [0, 0, 0]},
            "pixel": {"final": [10, 10, 10], "start": 0.5, "ramp": 2},
        },
        "objective2": {"batch_size": 4, "perceptual": {"final": [0, 0, 0]}},
    }
}


def params_with(**changes: object) -> Params:
    return validate({"train": {**PARAMS["train"], **changes}})


def write_part(path: Path, ids: list[str], size: int, targets: np.ndarray) -> None:
    with packed.PackedWriter(path, {"id": pa.string()}, {"blind": (size, size, 3)}) as writer:
        writer.append({"id": ids}, {"blind": np.stack([resize(target, size, "linear") for target in targets])})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainFiles:
    """Twelve smooth random pictures, ten to train and two to validate, each with 68 landmarks."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(5)
    ids = [f"p{i}/p{i}_0001" for i in range(12)]
    coarse = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    targets = np.stack([resize(image, 128, "cubic") for image in coarse])
    with packed.PackedWriter(folder / "targets.parquet", {"id": pa.string()}, {"target": (128, 128, 3)}) as writer:
        writer.append({"id": ids}, {"target": targets})
    write_part(folder / "train.parquet", ids[:10], 16, targets[:10])
    write_part(folder / "validation.parquet", ids[10:], 16, targets[10:])
    points = rng.uniform(10, 118, (12, 136)).astype(np.float32)
    columns = {"id": pa.string(), "found": pa.bool_()}
    columns |= {name: pa.list_(pa.float32(), 136) for name in ("points_128", "points_64")}
    with packed.PackedWriter(folder / "landmarks.parquet", columns) as writer:
        values = {"id": ids, "found": [True] * 12, "points_128": list(points), "points_64": list(points / 2)}
        writer.append(values, {})
    names = ("targets", "train", "validation", "landmarks")
    return TrainFiles(*(folder / f"{name}.parquet" for name in names))


@pytest.fixture(scope="module")
def whole_run(files: TrainFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    params = params_with()
    assert train(params.train, "objective1", files, folder, pairs=params.pairs) == "finished"
    return folder


def digest(folder: Path) -> str:
    return str(json.loads((folder / "run.json").read_text())["weights_sha256"])


def test_a_run_leaves_model_history_record_and_samples(whole_run: Path) -> None:
    load_generator(whole_run / "generator.safetensors")
    rows = list(csv.DictReader((whole_run / "history.csv").open()))
    assert [(row["epoch"], row["step"]) for row in rows] == [(str(e), str(s)) for e in (1, 2, 3) for s in (1, 2, 3)]
    for row in rows:
        for name in ("adversarial", "pixel", "total", "critic_gap", "penalty", "psnr", "ssim", "images_per_second"):
            assert np.isfinite(float(row[name])), name
        assert (row["attention"] == "") == (row["step"] == "1")
        assert row["perceptual"] == ""
    assert float(rows[0]["weight_pixel"]) < float(rows[-1]["weight_pixel"]) == 10
    record = json.loads((whole_run / "run.json").read_text())
    assert record["images"] == record["faces"] == 10
    assert record["batches_per_epoch"] == 2
    assert record["params"]["train"]["epochs"] == 3
    assert "objective2" not in record["params"]["train"]
    assert [path.name for path in sorted((whole_run / "samples").iterdir())] == [
        f"epoch0000{epoch}.png" for epoch in (1, 2, 3)
    ]
    assert (whole_run / "checkpoints" / BEST).is_file()
    assert len(list_checkpoints(whole_run / "checkpoints")) == 2


def test_two_runs_give_the_same_bytes(files: TrainFiles, whole_run: Path, tmp_path: Path) -> None:
    params = params_with()
    train(params.train, "objective1", files, tmp_path, pairs=params.pairs)
    for name in ("generator.safetensors", "samples/epoch00003.png"):
        assert (tmp_path / name).read_bytes() == (whole_run / name).read_bytes()
    other = params_with(seed=1)
    train(other.train, "objective1", files, tmp_path, pairs=other.pairs, restart=True)
    assert digest(tmp_path) != digest(whole_run)


def test_a_finished_run_returns_at_once(files: TrainFiles, whole_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (whole_run / "run.json").stat().st_mtime_ns
    params = params_with(checkpoint_seconds=50.0, checkpoints=7)
    assert train(params.train, "objective1", files, whole_run, pairs=params.pairs) == "finished"
    assert "is trained already" in capsys.readouterr().err
    assert (whole_run / "run.json").stat().st_mtime_ns == before


def test_a_run_stopped_by_its_time_limit_again_and_again_ends_the_same(
    files: TrainFiles, whole_run: Path, tmp_path: Path
) -> None:
    params = params_with()
    states = []
    for _ in range(100):
        states.append(train(params.train, "objective1", files, tmp_path, pairs=params.pairs, time_limit=0.15))
        if states[-1] == "finished":
            break
        assert not (tmp_path / "run.json").exists()
    assert states[-1] == "finished"
    assert len(states) > 1
    assert digest(tmp_path) == digest(whole_run)
    ours, theirs = ((folder / "history.csv").read_text().splitlines() for folder in (tmp_path, whole_run))
    assert len(ours) == len(theirs)


def command(files: TrainFiles, output: Path) -> list[str]:
    params = json.dumps(PARAMS | {"track": {"uri": ""}})
    paths = {"targets": files.targets, "train": files.train, "validation": files.validation}
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    options += ["--landmarks", str(files.landmarks), "--output", str(output), "--params", params]
    code = (
        "import sys, typer; from blindface.cli import app, train; sys.argv[0] = 'blindface'; "
        "app.app.callback()(lambda: None); app.app()"
    )
    return [sys.executable, "-c", code, "train", "--objective", "objective1", *options]


@pytest.mark.slow
def test_a_run_killed_at_any_instant_ends_with_the_same_weights(
    files: TrainFiles, whole_run: Path, tmp_path: Path
) -> None:
    chance = random.Random(11)
    kills = 0
    for _ in range(40):
        process = subprocess.Popen(command(files, tmp_path), stderr=subprocess.PIPE, text=True)
        try:
            # Begin to count when the loop runs or goes on, so that every attempt trains a little
            deadline = time.monotonic() + 60
            while not list_checkpoints(tmp_path / "checkpoints") and time.monotonic() < deadline:
                time.sleep(0.02)
            process.wait(timeout=chance.uniform(0.0, 0.4) if kills == 0 else 2.5 + chance.uniform(0.0, 1.2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            continue
        assert process.returncode == 0, process.stderr and process.stderr.read()
        break
    assert kills >= 1
    assert digest(tmp_path) == digest(whole_run)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_ctrl_c_saves_and_leaves(files: TrainFiles, tmp_path: Path, number: int, status: int) -> None:
    process = subprocess.Popen(command(files, tmp_path), stderr=subprocess.PIPE, text=True)
    while not list_checkpoints(tmp_path / "checkpoints") and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    _, text = process.communicate(timeout=60)
    assert process.returncode == status, text
    assert "run the same command again to go on" in text
    assert "Traceback" not in text
    assert list_checkpoints(tmp_path / "checkpoints")
    assert not (tmp_path / "generator.safetensors").exists()
