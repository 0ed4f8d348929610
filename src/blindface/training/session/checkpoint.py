"""Checkpoints: one safetensors file each, tensors in the body and everything else as JSON in the header.

    DIR/checkpoints/epoch00003-batch000120.safetensors    the position is that of the next batch
    DIR/checkpoints/best.safetensors                      the checkpoint with the best validation so far

Nothing is unpickled on reading. A file appears under its name only when it is whole, so a kill at any instant leaves
the older ones; a broken file is passed over in favour of the one before.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from blindface.base.errors import TrainingError
from blindface.base.files import atomic_path
from blindface.base.progress import say

BEST = "best.safetensors"
_NAME = re.compile(r"epoch(\d+)-batch(\d+)\.safetensors")

MAY_DIFFER = tuple(f"params.train.{name}" for name in ("device", "validation_lpips"))
"""What may change between a run and its continuation: it moves no weight, or follows from the machine.

How a training is carried out (`params.training.EXECUTION`) is no part of its identity at all."""


@dataclass(frozen=True)
class Checkpoint:
    """tensors: flat names to CPU tensors; record: plain JSON values (position, identity, history, ...)."""

    tensors: dict[str, Tensor]
    record: dict[str, Any]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write one file atomically. Errors: InputError if the disk is full."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"record": json.dumps(checkpoint.record)})


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one file. Errors: TrainingError if it is broken."""
    try:
        with safe_open(path, "pt", device="cpu") as file:
            record = json.loads((file.metadata() or {})["record"])
            return Checkpoint({name: file.get_tensor(name) for name in file.keys()}, record)  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise TrainingError(f"checkpoint {path} is broken ({error}): delete it and run again") from error


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a folder, oldest position first; the best one and foreign files are left out."""
    if not folder.is_dir():
        return []
    found = [
        (tuple(map(int, match.groups())), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))
    ]
    return [path for _, path in sorted(found)]


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint, or None. A broken one is passed over, which is said."""
    for path in reversed(list_checkpoints(folder)):
        try:
            return load_checkpoint(path)
        except TrainingError as error:
            say(f"{error}; going on from the one before")
    return None


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two nested records, as `name: before -> now`, leaving out what may differ."""
    result: list[str] = []
    for key in sorted({*before, *now}):
        name = f"{prefix}{key}"
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            result += differences(old, new, f"{name}.")
        elif old != new and name not in MAY_DIFFER:
            result.append(f"{name}: {_short(old)} -> {_short(new)}")
    return result


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:18] + "…" + text[-10:]


class CheckpointWriter:
    """Writes checkpoints in a thread of its own, keeps the last `keep` and, by hard link, the best.

    Tensors are copied to the CPU before `save` returns, so that training can go on at once.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = Path(folder), keep
        self.folder.mkdir(parents=True, exist_ok=True)
        # Ours end in .partial; safetensors writes to a .tmp file of its own first.
        for leftover in [*self.folder.glob(".*.partial*"), *self.folder.glob(".tmp*")]:
            leftover.unlink(missing_ok=True)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def save(self, checkpoint: Checkpoint, epoch: int, batch: int, best: bool = False) -> None:
        """Start to write the checkpoint of the position before (epoch, batch); waits for the one before."""
        self.wait()
        tensors = {name: tensor.detach().to("cpu", copy=True) for name, tensor in checkpoint.tensors.items()}
        path = self.folder / f"epoch{epoch:05d}-batch{batch:06d}.safetensors"
        self._pending = self._thread.submit(self._write, path, Checkpoint(tensors, checkpoint.record), best)

    def _write(self, path: Path, checkpoint: Checkpoint, best: bool) -> None:
        save_checkpoint(path, checkpoint)
        if best:
            link_file(path, self.folder / BEST)
        for old in list_checkpoints(self.folder)[: -self.keep]:
            old.unlink()

    def wait(self) -> None:
        """Wait until the pending file is written. Errors: those of writing, such as a full disk."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def close(self) -> None:
        """Wait and end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()


def link_file(source: Path, target: Path) -> None:
    """Give a file a second name, replacing what has it; copies where the file system has no hard links."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.partial")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        temporary.write_bytes(source.read_bytes())
    temporary.replace(target)


def clear_checkpoints(folder: Path) -> None:
    """Delete all checkpoints of a folder."""
    for path in [*list_checkpoints(folder), folder / BEST]:
        path.unlink(missing_ok=True)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The states of PyTorch's global generators, as byte tensors."""
    state = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["random.cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what `random_state` gave; a state of a device that is not in use is passed over."""
    torch.set_rng_state(tensors["random.cpu"])
    if device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], device)
