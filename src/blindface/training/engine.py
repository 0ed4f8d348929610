"""The door to training: what a folder holds is looked at, then the run begins, goes on, or is refused.

Written to the output folder: checkpoints/, samples/, history.csv as it grows, and at the end generator.safetensors,
then run.json, which says that the run is finished.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import torch

from blindface.device import numeric_policy
from blindface.errors import DeviceError
from blindface.params import Objective, PairsParams, TrackParams, TrainParams
from blindface.progress import say
from blindface.training.checkpoint import clear_checkpoints
from blindface.training.loop import Status, TrainingRun
from blindface.training.record import hash_code, identify
from blindface.training.resume import GENERATOR, find_checkpoint, find_finished, only_one
from blindface.training.stopping import StopRequest
from blindface.training.task import Task, TrainFiles

__all__ = ["Status", "TrainFiles", "train"]


def train(
    params: TrainParams,
    objective: Objective,
    files: TrainFiles,
    output: Path,
    *,
    pairs: PairsParams | None = None,
    track: TrackParams | None = None,
    device: torch.device | str = "cpu",
    time_limit: float | None = None,
    restart: bool = False,
) -> Status:
    """Train one objective into the folder `output`, going on from its newest checkpoint.

    pairs: the degradation, for fresh draws; track: where the run is tracked, None: nowhere; time_limit: seconds after
    which a checkpoint is written and the run left; restart: delete what the folder holds of an earlier run. Returns how
    the run was left; only `finished` leaves results.
    Errors: ParameterError (other parameters than those of the run in the folder, too few images), InputError (files),
    TrainingError (explosion, another process in the folder), DeviceError (memory).
    """
    task = Task(params, objective, pairs or PairsParams(), files, Path(output), torch.device(device))
    output = task.output
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest(time_limit))
        stack.enter_context(only_one(output))
        inputs = {name: getattr(files, name) for name in ("targets", "train", "validation", "landmarks", "perceptual")}
        identity, code = identify(params, objective, task.pairs, inputs), hash_code()
        if restart:
            clear_checkpoints(output / "checkpoints")
        elif find_finished(output, identity, code) is not None:
            say(f"{objective} is trained already: {output / GENERATOR}")
            return "finished"
        checkpoint = find_checkpoint(output / "checkpoints", identity, code)
        stack.enter_context(numeric_policy(params.precision, params.deterministic))
        try:
            run = TrainingRun(task, {**identity, "code": code})
            if checkpoint is not None:
                run.go_on_from(checkpoint)
            with run.start_tracking(track) as tracker:
                return run.loop(stop, tracker)
        except torch.cuda.OutOfMemoryError as error:
            raise DeviceError(_memory_advice(task)) from error


def _memory_advice(task: Task) -> str:
    choice, objective = task.choice, task.objective
    half = max(choice.batch_size // 2, 1)
    precision = "" if task.params.precision == "bf16" else ", or train.precision to bf16"
    return (
        f"the GPU's memory does not suffice to train {objective} with batches of {choice.batch_size}: set "
        f"train.{objective}.batch_size to {half} or less{precision}; a run that began is kept in its checkpoints"
    )
