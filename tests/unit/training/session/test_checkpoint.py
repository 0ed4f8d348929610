"""Checkpoints: whole or not there, told apart, and never unpickled."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from blindface.training.session.checkpoint import (
    BEST,
    Checkpoint,
    CheckpointWriter,
    differences,
    list_checkpoints,
    load_checkpoint,
    newest_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)


def example(value: float = 1.0) -> Checkpoint:
    tensors = {
        "a.weight": torch.full((3, 2), value),
        "a.step": torch.tensor(5),
        "bytes": torch.arange(4).to(torch.uint8),
    }
    return Checkpoint(tensors, {"position": [1, 2], "nested": {"text": "ä", "none": None}})


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.safetensors", example())
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    assert loaded.record == example().record
    for name, tensor in example().tensors.items():
        assert torch.equal(loaded.tensors[name], tensor)
        assert loaded.tensors[name].dtype == tensor.dtype


def test_the_last_ones_and_the_best_are_kept(tmp_path: Path) -> None:
    writer = CheckpointWriter(tmp_path, keep=2)
    for batch in range(5):
        writer.save(example(batch), 0, batch, best=batch == 1)
    writer.close()
    assert [path.name for path in list_checkpoints(tmp_path)] == [
        "epoch00000-batch000003.safetensors",
        "epoch00000-batch000004.safetensors",
    ]
    assert load_checkpoint(tmp_path / BEST).tensors["a.weight"][0, 0] == 1


def test_later_positions_are_newer_whatever_the_file_times(tmp_path: Path) -> None:
    for epoch, batch in ((2, 0), (1, 50), (10, 3)):
        save_checkpoint(tmp_path / f"epoch{epoch:05d}-batch{batch:06d}.safetensors", example(epoch))
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.tensors["a.weight"][0, 0] == 10


def test_training_may_change_the_weights_while_they_are_written(tmp_path: Path) -> None:
    weight = torch.zeros(200_000)
    writer = CheckpointWriter(tmp_path, keep=1)
    writer.save(Checkpoint({"w": weight}, {}), 0, 1)
    weight.fill_(1.0)
    writer.close()
    assert load_checkpoint(list_checkpoints(tmp_path)[0]).tensors["w"].abs().max() == 0


@pytest.mark.parametrize("damage", [b"", b"\x80\x04N.", None])
def test_a_broken_checkpoint_is_passed_over(
    tmp_path: Path, damage: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(tmp_path / "epoch00001-batch000000.safetensors", example(1))
    newer = tmp_path / "epoch00002-batch000000.safetensors"
    save_checkpoint(newer, example(2))
    newer.write_bytes(newer.read_bytes()[:-5] if damage is None else damage)
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.tensors["a.weight"][0, 0] == 1
    assert "epoch00002-batch000000" in capsys.readouterr().err


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    (tmp_path / "epoch00001-batch000000.safetensors").write_bytes(pickle.dumps(Evil()))
    assert newest_checkpoint(tmp_path) is None
    assert not (tmp_path / "ran").exists()


def test_errors_of_writing_reach_the_caller(tmp_path: Path) -> None:
    writer = CheckpointWriter(tmp_path / "c", keep=1)
    writer.save(Checkpoint({"w": torch.zeros(1)}, {"bad": object()}), 0, 0)
    with pytest.raises(TypeError):
        writer.close()


def test_differences_are_named_and_what_may_differ_is_left_out() -> None:
    before = {"params": {"train": {"seed": 1, "device": "cpu", "a": {"b": [1, 2]}}}, "data": {"x": "0" * 64}}
    now = {"params": {"train": {"seed": 2, "device": "cuda", "a": {"b": [1, 3]}, "new": None}}, "data": {"x": "0" * 64}}
    assert differences(before, now) == ["params.train.a.b: [1, 2] -> [1, 3]", "params.train.seed: 1 -> 2"]
    assert differences(before, before) == []


def test_random_states_come_back() -> None:
    state = random_state(torch.device("cpu"))
    first = torch.rand(3)
    set_random_state(state, torch.device("cpu"))
    assert torch.equal(torch.rand(3), first)


WRITE_FOREVER = """
import sys, torch
from pathlib import Path
from blindface.training.session.checkpoint import Checkpoint, CheckpointWriter
writer = CheckpointWriter(Path(sys.argv[1]), keep=2)
for number in range(1_000_000):
    writer.save(Checkpoint({"w": torch.full((300_000,), number)}, {"number": number}), 0, number, best=number % 3 == 0)
    if number == 3:
        print("ready", flush=True)
"""


def killed_at(point: int, folder: Path, work: Callable[[], None]) -> bool:
    """Do some work in a copy of this process that kills itself at its n-th change of a file in the folder, from 1.

    Returns whether it came to that. Changes are files opened to write, renamed, linked and deleted by Python.
    """
    child = os.fork()
    if child == 0:
        seen = 0

        def watch(event: str, details: tuple[object, ...]) -> None:
            nonlocal seen
            writes = event == "open" and isinstance(details[2], int) and details[2] & (os.O_WRONLY | os.O_RDWR)
            changes = event in ("os.rename", "os.remove", "os.link", "os.truncate")
            if (writes or changes) and str(folder) in str(details[0]):
                seen += 1
                if seen == point:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def test_a_kill_at_every_single_write_leaves_only_whole_checkpoints(tmp_path: Path) -> None:
    def write() -> None:
        newest = newest_checkpoint(tmp_path)
        first = 0 if newest is None else int(newest.record["number"]) + 1
        writer = CheckpointWriter(tmp_path, keep=2)
        for number in range(first, first + 4):
            state = Checkpoint({"w": torch.full((3000,), float(number))}, {"number": number})
            writer.save(state, 0, number, best=number % 2 == 0)
        writer.close()

    point, last = 1, -1
    while killed_at(point, tmp_path, write):
        point += 1
        for path in [*list_checkpoints(tmp_path), *tmp_path.glob(BEST)]:
            loaded = load_checkpoint(path)
            assert (loaded.tensors["w"] == loaded.record["number"]).all()
        newest = newest_checkpoint(tmp_path)
        number = -1 if newest is None else int(newest.record["number"])
        assert number >= last  # what was there stays
        last = number
    assert point > 10  # four checkpoints: opened, renamed, linked, the old one deleted
    CheckpointWriter(tmp_path, keep=2).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [BEST, *(path.name for path in list_checkpoints(tmp_path))]
    )


def test_a_kill_while_writing_leaves_only_whole_checkpoints(tmp_path: Path) -> None:
    for attempt in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.013 * (attempt + 1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for path in [*list_checkpoints(tmp_path), tmp_path / BEST]:
            loaded = load_checkpoint(path)
            assert (loaded.tensors["w"] == loaded.record["number"]).all()
        assert len(list_checkpoints(tmp_path)) >= 1
    (tmp_path / ".tmpAbCdEf").write_bytes(b"half")  # as safetensors leaves one when it is killed while writing
    CheckpointWriter(tmp_path, keep=2).close()
    assert not list(tmp_path.glob(".*"))
