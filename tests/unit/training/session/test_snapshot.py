"""The generator of a checkpoint: that of the last epoch is the run's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from blindface.base.errors import InputError
from blindface.networks.model_file import load_generator, read_header
from blindface.training.session.engine import TrainFiles, train
from blindface.training.session.snapshot import write_snapshot
from tests.unit.training.session.test_session import _quiet_process, files, params_with, whole_run, write_part  # noqa: F401

CPU = torch.device("cpu")


def test_of_the_last_checkpoint_it_is_the_generator_of_the_run(
    files: TrainFiles,  # noqa: F811
    whole_run: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    position = write_snapshot(whole_run, files.train, tmp_path / "snapshot.safetensors", half=False, device=CPU)
    assert position == "epoch 2 of 2, batch 0"
    ours, theirs = load_file(tmp_path / "snapshot.safetensors"), load_file(whole_run / "generator.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    header = read_header(tmp_path / "snapshot.safetensors")
    assert header["arguments"] == read_header(whole_run / "generator.safetensors")["arguments"]
    assert (header["objective"], header["snapshot"]) == ("objective1", position)


def test_of_an_unfinished_run_it_restores_already(files: TrainFiles, tmp_path: Path) -> None:  # noqa: F811
    params = params_with(degradation="fixed")
    assert train(params.train, "progressive", "objective1", files, tmp_path / "model", time_limit=0) == "time"
    output = tmp_path / "half.safetensors"
    position = write_snapshot(tmp_path / "model", files.train, output, half=True, device=CPU)
    assert position == "epoch 0 of 2, batch 1"
    assert {name.partition(".")[0] for name in load_file(output)} == {"ema"}
    image = load_generator(output)(torch.zeros(1, 3, 16, 16))[2]
    assert image.shape == (1, 3, 128, 128)
    assert torch.isfinite(image).all()


def test_what_is_no_run_is_refused(files: TrainFiles, whole_run: Path, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(InputError, match="holds no checkpoint"):
        write_snapshot(tmp_path, files.train, tmp_path / "x", half=False, device=CPU)
    write_part(tmp_path / "other.parquet", ["a/a_0001"], 128, np.zeros((1, 128, 128, 3), np.uint8))
    with pytest.raises(InputError, match="blind images of 128 px, but objective1 takes 16"):
        write_snapshot(whole_run, tmp_path / "other.parquet", tmp_path / "x", half=False, device=CPU)
    assert not (tmp_path / "x").exists()
