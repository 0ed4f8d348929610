"""The engine: the same weights after any interruption, and what is said when it cannot go on."""

from __future__ import annotations

import csv
import json
import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from blindface.base import image_table
from blindface.base.device import numeric_policy
from blindface.base.errors import ParameterError, TrainingError
from blindface.base.images import resize
from blindface.networks.model_file import load_generator
from blindface.params import Params, merge, validate
from blindface.training.session import engine
from blindface.training.session.checkpoint import BEST, list_checkpoints, load_checkpoint
from blindface.training.session.engine import Status, TrainFiles, train
from blindface.training.session.resume import only_one
from blindface.training.session.stopping import StopRequest
from tests.unit.training.session.test_checkpoint import killed_at

PARAMS = {
    "train": {
        "checkpoint_seconds": 0.02,
        "perceptual": {"backbone": "none"},
        "progressive": {
            "epochs": 2,
            "generator_channels": 8,
            "discriminator_channels": 4,
            "ema": 0.9,
            "flip": True,
            "degradation": "fresh",
            "learning_rate_decay": 0.5,
            "objective1": {
                "batch_size": 2,
                "perceptual": {"final": [0, 0, 0]},
                "pixel": {"final": [10, 10, 10], "start": 0.5, "ramp": 1.5},
            },
            "objective2": {"batch_size": 2, "perceptual": {"final": [0, 0, 0]}},
        },
    }
}


def params_with(shared: Mapping[str, object] = {}, **changes: object) -> Params:
    """PARAMS with changes of the recipe's block; shared: of what all recipes share."""
    return validate({"train": merge(PARAMS["train"], {**shared, "progressive": changes})})


def run(params: Params, files: TrainFiles, folder: Path, **more: Any) -> Status:
    return train(params.train, "progressive", "objective1", files, folder, pairs=params.pairs, **more)


def write_part(path: Path, ids: list[str], size: int, targets: np.ndarray) -> None:
    with image_table.ImageTableWriter(path, {"id": pa.string()}, {"blind": (size, size, 3)}) as writer:
        writer.append({"id": ids}, {"blind": np.stack([resize(target, size, "linear") for target in targets])})


@pytest.fixture(scope="module", autouse=True)
def _quiet_process() -> Iterator[None]:
    """One thread, since tiny tensors gain nothing from more; one code, though someone may edit it meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "hash_code", lambda recipe: "code")
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainFiles:
    """Six smooth random pictures, five to train and one to validate, each with 68 landmarks."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(5)
    ids = [f"p{i}/p{i}_0001" for i in range(6)]
    coarse = rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    targets = np.stack([resize(image, 128, "cubic") for image in coarse])
    with image_table.ImageTableWriter(
        folder / "targets.parquet", {"id": pa.string()}, {"target": (128, 128, 3)}
    ) as writer:
        writer.append({"id": ids}, {"target": targets})
    write_part(folder / "train.parquet", ids[:5], 16, targets[:5])
    write_part(folder / "validation.parquet", ids[5:], 16, targets[5:])
    points = rng.uniform(10, 118, (6, 136)).astype(np.float32)
    columns = {"id": pa.string(), "found": pa.bool_()}
    columns |= {name: pa.list_(pa.float32(), 136) for name in ("points_128", "points_64")}
    with image_table.ImageTableWriter(folder / "landmarks.parquet", columns) as writer:
        values = {"id": ids, "found": [True] * 6, "points_128": list(points), "points_64": list(points / 2)}
        writer.append(values, {})
    names = ("targets", "train", "validation", "landmarks")
    return TrainFiles(*(folder / f"{name}.parquet" for name in names))


@pytest.fixture(scope="module")
def whole_run(files: TrainFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    params = params_with()
    assert run(params, files, folder) == "finished"
    return folder


def digest(folder: Path) -> str:
    return str(json.loads((folder / "run.json").read_text())["weights_sha256"])


def test_a_run_leaves_model_history_record_and_samples(whole_run: Path) -> None:
    load_generator(whole_run / "generator.safetensors")
    rows = list(csv.DictReader((whole_run / "history.csv").open()))
    assert [(row["epoch"], row["step"]) for row in rows] == [(str(e), str(s)) for e in (1, 2) for s in (1, 2, 3)]
    for row in rows:
        for name in ("adversarial", "pixel", "total", "critic_gap", "penalty", "psnr", "ssim", "images_per_second"):
            assert np.isfinite(float(row[name])), name
        assert (row["attention"] == "") == (row["step"] == "1")
        assert row["perceptual"] == ""
    assert float(rows[0]["weight_pixel"]) < float(rows[-1]["weight_pixel"]) == 10
    record = json.loads((whole_run / "run.json").read_text())
    assert record["images"] == record["faces"] == 5
    assert record["batches_per_epoch"] == 2
    assert record["params"]["train"]["progressive"]["epochs"] == 2
    assert record["recipe"] == "progressive"
    assert "objective2" not in record["params"]["train"]["progressive"]
    assert record["best_validation"]["metric"] == "psnr"
    assert record["validation_lpips"] == "not given"
    assert [path.name for path in sorted((whole_run / "samples").iterdir())] == [
        f"epoch0000{epoch}.png" for epoch in (1, 2)
    ]
    assert (whole_run / "checkpoints" / BEST).is_file()
    assert len(list_checkpoints(whole_run / "checkpoints")) == 2


def test_two_runs_give_the_same_bytes(files: TrainFiles, whole_run: Path, tmp_path: Path) -> None:
    params = params_with()
    run(params, files, tmp_path)
    for name in ("generator.safetensors", "samples/epoch00002.png"):
        assert (tmp_path / name).read_bytes() == (whole_run / name).read_bytes()
    other = params_with({"seed": 1})
    run(other, files, tmp_path, restart=True)
    assert digest(tmp_path) != digest(whole_run)


def test_a_finished_run_returns_at_once(files: TrainFiles, whole_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (whole_run / "run.json").stat().st_mtime_ns
    params = params_with({"checkpoint_seconds": 50.0, "checkpoints": 7})
    assert run(params, files, whole_run) == "finished"
    assert "is trained already" in capsys.readouterr().err
    assert (whole_run / "run.json").stat().st_mtime_ns == before


def test_a_run_stopped_after_every_batch_ends_the_same(files: TrainFiles, whole_run: Path, tmp_path: Path) -> None:
    params = params_with()
    states = [run(params, files, tmp_path, time_limit=0.0) for _ in range(5)]
    assert states == ["time", "time", "time", "finished", "finished"]
    assert digest(tmp_path) == digest(whole_run)
    ours, theirs = ((folder / "history.csv").read_text().splitlines() for folder in (tmp_path, whole_run))
    assert len(ours) == len(theirs)


def command(files: TrainFiles, output: Path) -> list[str]:
    params = json.dumps(PARAMS | {"track": {"uri": ""}})
    paths = {"targets": files.targets, "train": files.train, "validation": files.validation}
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    options += ["--landmarks", str(files.landmarks), "--output", str(output), "--params", params]
    return [sys.executable, "-m", "blindface", "train", "--objective", "objective1", *options]


def start(files: TrainFiles, output: Path, *more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command(files, output), *more], stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_a_run_killed_at_any_instant_ends_with_the_same_weights(
    files: TrainFiles, whole_run: Path, tmp_path: Path
) -> None:
    """Three kills, each a random moment after the process has written something, then a run to the end."""
    chance = random.Random(11)
    folder = tmp_path / "checkpoints"
    for _ in range(3):
        before = [path.stat().st_mtime_ns for path in list_checkpoints(folder)]
        process = start(files, tmp_path)
        while process.poll() is None and before == [path.stat().st_mtime_ns for path in list_checkpoints(folder)]:
            time.sleep(0.001)
        time.sleep(chance.uniform(0.0, 0.3))
        process.kill()
        process.communicate()
    process = start(files, tmp_path)
    _, text = process.communicate()
    assert process.returncode == 0, text
    assert digest(tmp_path) == digest(whole_run)


@pytest.mark.slow
def test_a_run_killed_at_every_single_write_ends_with_the_same_weights(
    files: TrainFiles, whole_run: Path, tmp_path: Path
) -> None:
    """The first attempt dies at its first change of a file, the second at its second, until one has fewer of them."""
    params = params_with()

    def work() -> None:
        run(params, files, tmp_path)

    kills = 0
    while killed_at(kills + 1, tmp_path, work):
        kills += 1
    assert kills > 8
    assert digest(tmp_path) == digest(whole_run)
    for name in ("generator.safetensors", "samples/epoch00002.png"):
        assert (tmp_path / name).read_bytes() == (whole_run / name).read_bytes()


def test_ctrl_c_saves_and_leaves(files: TrainFiles, tmp_path: Path) -> None:
    process = start(files, tmp_path)
    while not list_checkpoints(tmp_path / "checkpoints") and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "run the same command again to go on" in text
    assert "Traceback" not in text
    assert list_checkpoints(tmp_path / "checkpoints")
    assert not (tmp_path / "generator.safetensors").exists()


def test_other_parameters_than_the_finished_runs_are_refused_with_the_difference(
    files: TrainFiles, whole_run: Path
) -> None:
    params = params_with({"seed": 5}, ema=0.5)
    with pytest.raises(ParameterError, match=r"progressive.ema: 0.9 -> 0.5; params.train.seed: 2024 -> 5.*--restart"):
        run(params, files, whole_run)


def test_other_parameters_or_data_than_the_checkpoints_are_refused(files: TrainFiles, tmp_path: Path) -> None:
    params = params_with()
    assert run(params, files, tmp_path, time_limit=0.0) == "time"
    other = params_with(learning_rate=0.01)
    with pytest.raises(ParameterError, match=r"unfinished run.*learning_rate: 0.001 -> 0.01"):
        run(other, files, tmp_path)
    with pytest.raises(ParameterError, match=r"data.landmarks: .* -> null"):
        run(params, replace(files, landmarks=None), tmp_path)
    fresh = validate({"train": PARAMS["train"], "pairs": {"seed": 1}})
    with pytest.raises(ParameterError, match=r"params.pairs.seed: 2024 -> 1"):
        run(fresh, files, tmp_path)


def test_a_finished_run_whose_results_are_gone_is_not_trained_again(
    files: TrainFiles, whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after Snakemake removed the outputs of a rule: with the same parameters they come from the checkpoint."""
    shutil.copytree(whole_run / "checkpoints", tmp_path / "checkpoints")
    params = params_with()
    started = time.monotonic()
    assert run(params, files, tmp_path) == "finished"
    assert digest(tmp_path) == digest(whole_run)
    assert (tmp_path / "history.csv").read_bytes() == (whole_run / "history.csv").read_bytes()
    assert "epoch" not in capsys.readouterr().err
    assert time.monotonic() - started < 30


def test_a_finished_run_of_other_parameters_makes_way_once_its_results_are_gone(
    files: TrainFiles, whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole_run / "checkpoints", tmp_path / "checkpoints")
    params = params_with(epochs=1)
    assert run(params, files, tmp_path) == "finished"
    assert "params.train.progressive.epochs: 2 -> 1" in capsys.readouterr().err
    assert json.loads((tmp_path / "run.json").read_text())["params"]["train"]["progressive"]["epochs"] == 1


def test_results_of_other_code_stay_but_do_not_stand_in_for_a_new_run(
    files: TrainFiles,
    whole_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "hash_code", lambda recipe: "newer code")
    params = params_with()
    assert run(params, files, whole_run) == "finished"
    assert "trained by another version of the code: --restart" in capsys.readouterr().err
    shutil.copytree(whole_run / "checkpoints", tmp_path / "checkpoints")
    run(params, files, tmp_path, time_limit=0.0)
    assert "training anew" in capsys.readouterr().err
    assert [path.name for path in list_checkpoints(tmp_path / "checkpoints")] == ["epoch00000-batch000001.safetensors"]


def test_an_exploded_loss_stops_the_run_and_keeps_the_good_checkpoint(files: TrainFiles, tmp_path: Path) -> None:
    params = params_with(learning_rate=1.0, learning_rate_decay=0.0, epochs=30)
    block = params.train.progressive.model_copy(update={"learning_rate": 1e30})
    params = params.model_copy(update={"train": params.train.model_copy(update={"progressive": block})})
    with pytest.raises(TrainingError, match=r"progressive1 exploded in epoch \d+, step \d: \w+ is .*learning_rate"):
        run(params, files, tmp_path)
    for path in list_checkpoints(tmp_path / "checkpoints"):
        tensors = load_checkpoint(path).tensors
        assert all(tensor.isfinite().all() for name, tensor in tensors.items() if name.startswith("terms"))


def test_two_processes_do_not_train_in_one_folder(files: TrainFiles, tmp_path: Path) -> None:
    params = params_with()
    with only_one(tmp_path), pytest.raises(TrainingError, match="another process trains in"):
        run(params, files, tmp_path)


def test_losses_that_cannot_be_computed_are_left_out_and_recorded(
    files: TrainFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loss = {"final": [1, 1, 1]}
    params = params_with({"perceptual": {"backbone": "vgg19"}}, epochs=1, objective1={"perceptual": loss})
    source = replace(files, landmarks=None, perceptual_missing="vgg19 is not to be had")
    assert run(params, source, tmp_path) == "finished"
    left_out = json.loads((tmp_path / "run.json").read_text())["losses_left_out"]
    assert left_out == {
        "perceptual": "vgg19 is not to be had",
        "attention": "no image of the training part has landmarks",
    }
    assert "without the perceptual loss: vgg19 is not to be had" in capsys.readouterr().err


def test_training_without_a_validation_part_works(files: TrainFiles, tmp_path: Path) -> None:
    params = params_with(epochs=1, degradation="fixed", flip=False)
    assert run(params, replace(files, validation=None), tmp_path) == "finished"
    row = next(csv.DictReader((tmp_path / "history.csv").open()))
    assert row["psnr"] == ""


def test_too_few_images_for_a_batch_are_refused(files: TrainFiles, tmp_path: Path) -> None:
    params = params_with(objective1={"batch_size": 6})
    with pytest.raises(ParameterError, match="5 images, fewer than one batch of 6"):
        run(params, files, tmp_path)


def test_precisions_are_compared_on_the_pipelines_files(
    files: TrainFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert files.validation is not None
    assert files.landmarks is not None
    for source, name in (
        (files.targets, "targets"),
        (files.landmarks, "landmarks"),
        (files.train, "pairs/objective1/train"),
        (files.validation, "pairs/objective1/validation"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / f"{name}.parquet")
    arguments = ["--data", str(tmp_path), "--params", json.dumps(PARAMS), "--output", str(tmp_path / "out.json")]
    few = ["--epochs", "1", "--seeds", "3", "--precisions", "fp32", "bf16"]
    monkeypatch.setattr(sys, "argv", ["precision.py", *arguments, *few])
    runpy.run_path(str(Path(__file__).parents[4] / "benchmarks" / "precision.py"), run_name="__main__")
    runs = json.loads((tmp_path / "out.json").read_text())["runs"]
    assert [run["precision"] for run in runs] == ["fp32", "bf16"]
    assert runs[0]["psnr"] == runs[1]["psnr"]  # a processor computes in float32 whatever is asked for
    assert "bf16, mean of 1: psnr" in capsys.readouterr().out


def test_a_file_to_begin_with_is_refused_by_a_recipe_that_begins_with_random_weights(
    files: TrainFiles, whole_run: Path, tmp_path: Path
) -> None:
    params = params_with()
    source = replace(files, begin=whole_run / "generator.safetensors")
    with pytest.raises(ParameterError, match="progressive1 begins with random weights: leave --begin out"):
        run(params, source, tmp_path)


def test_switches_of_the_numeric_policy_come_back() -> None:
    before = (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark)
    with numeric_policy("fp32", True):
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark) == before


def test_the_first_signal_asks_and_a_second_ctrl_c_leaves_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert stop.reason() is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.reason() == "interrupted"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_a_run_of_two_processes_goes_on_with_one_and_ends_as_one_alone_does(
    files: TrainFiles, whole_run: Path, tmp_path: Path
) -> None:
    """The command starts its processes itself; each draws the degradations of its own images."""
    together = json.dumps({"train": {"processes": 2}})
    for batches in (1, 2):
        process = start(files, tmp_path, "--params", together, "--time-limit", "0")
        _, text = process.communicate(timeout=300)
        assert process.returncode == 75, text
        assert text.count("time is up") == 1
        found = [path.name for path in list_checkpoints(tmp_path / "checkpoints")][-1]
        assert found == ("epoch00000-batch000001.safetensors", "epoch00001-batch000000.safetensors")[batches - 1]
    params = params_with()
    assert run(params, files, tmp_path) == "finished"
    ours, theirs = (list(csv.DictReader((folder / "history.csv").open())) for folder in (tmp_path, whole_run))
    for row, other in zip(ours, theirs, strict=True):
        for name in ("pixel", "adversarial", "penalty", "gradient_norm_generator", "psnr", "ssim"):
            assert float(row[name]) == pytest.approx(float(other[name]), rel=2e-3), name
