"""The door to training: what a folder holds is looked at, then the run begins, goes on, or is refused.

Of several processes the leading one looks, and all go on from what it found. Each reads the inputs; the leading one
alone writes.

Written to the output folder: checkpoints/, samples/, history.csv as it grows, and at the end generator.safetensors,
then run.json, which says that the run is finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, Literal

import torch

from blindface.base.device import numeric_policy
from blindface.base.errors import DeviceError, InputError, ParameterError, TrainingError
from blindface.base.progress import say
from blindface.params import Objective, PairsParams, TrackParams, TrainParams
from blindface.params.recipes import RecipeName, model_name
from blindface.training.distributed.processes import join
from blindface.training.monitor.memory import advise
from blindface.training.session.checkpoint import Checkpoint, clear_checkpoints, differences
from blindface.training.session.loop import Status, train_to_the_end
from blindface.training.session.record import hash_code, identify
from blindface.training.session.resume import GENERATOR, find_checkpoint, find_finished, only_one
from blindface.training.session.run import TrainingRun
from blindface.training.session.stopping import StopRequest
from blindface.training.task import Task, TrainFiles

__all__ = ["Status", "TrainFiles", "train"]


def train(
    params: TrainParams,
    recipe: RecipeName,
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
    """Train one model into the folder `output`, going on from its newest checkpoint.

    pairs: the degradation, for fresh draws; track: where the run is tracked, None: nowhere; time_limit: seconds after
    which a checkpoint is written and the run left; restart: delete what the folder holds of an earlier run. Returns how
    the run was left; only `finished` leaves results.
    Errors: ParameterError (other parameters than those of the run in the folder, too few images), InputError (files),
    TrainingError (explosion, another process in the folder), DeviceError (memory).
    """
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest(time_limit))
        stack.enter_context(numeric_policy(params.precision, params.deterministic))
        processes, own = stack.enter_context(join(torch.device(device)))
        task = Task(params, recipe, objective, pairs or PairsParams(), files, Path(output), own, processes)
        identity = processes.together(lambda: _identify(task))
        processes.together(lambda: _compare(task, identity, processes.share(lambda: identity)))
        found = processes.share(lambda: _look_into(task, identity, restart, stack))
        if found == "finished":
            return "finished"
        try:
            run = processes.together(lambda: _build(task, identity, begins=found is None))
            if isinstance(found, Checkpoint):
                run.go_on_from(found)
            with run.start_tracking(track) if processes.leads else nullcontext() as tracker:
                return train_to_the_end(run, stop, tracker)
        except torch.cuda.OutOfMemoryError as error:
            raise DeviceError(advise(task)) from error
        except TrainingError:
            if processes.leads:
                raise
            raise SystemExit(2) from None  # the leading process tells it
        except RuntimeError as error:
            if not processes.lost(error):
                raise
            raise TrainingError(
                f"another process of the training of {task.model} has ended: see what it said, then run the same "
                "command again"
            ) from error


def _identify(task: Task) -> dict[str, Any]:
    """What decides the weights, and the code's hash under `code`."""
    names = ("targets", "train", "validation", "landmarks", "begin")
    inputs = {name: getattr(task.files, name) for name in names}
    if task.block.reads_perceptual:
        inputs["perceptual"] = task.files.perceptual
    return {**identify(task, inputs), "code": hash_code(task.recipe)}


def _compare(task: Task, ours: Mapping[str, Any], leaders: Mapping[str, Any]) -> None:
    different = differences(leaders, ours)
    if different:
        raise InputError(
            f"process {task.processes.rank} would train {task.model} otherwise than the leading one "
            f"({'; '.join(different)}): give all machines the same files, parameters and code"
        )


def _look_into(
    task: Task, identity: Mapping[str, Any], restart: bool, stack: ExitStack
) -> Checkpoint | Literal["finished"] | None:
    """Hold the folder until `stack` ends, and find what it holds of this run."""
    output = task.output
    stack.enter_context(only_one(output))
    decisive, code = {name: value for name, value in identity.items() if name != "code"}, identity["code"]
    if restart:
        clear_checkpoints(output / "checkpoints")
    elif find_finished(output, decisive, code) is not None:
        say(f"{task.model} is trained already: {output / GENERATOR}")
        return "finished"
    return find_checkpoint(output / "checkpoints", decisive, code)


def _build(task: Task, identity: Mapping[str, Any], begins: bool) -> TrainingRun:
    """The run at its start. begins: no checkpoint follows, so that the weights it begins with have to be read."""
    source = task.block.begins_with
    if source is not None and task.files.begin is None:
        raise ParameterError(
            f"{task.model} begins with the weights of {model_name(source, task.objective)}: give its "
            "generator.safetensors as --begin"
        )
    if source is None and task.files.begin is not None:
        raise ParameterError(f"{task.model} begins with random weights: leave --begin out")
    try:
        run = TrainingRun(task, identity)
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(advise(task)) from error
    if begins and task.files.begin is not None:
        run.recipe.begin_with(task.files.begin)
        say(f"{task.model} begins with the weights of {task.files.begin}")
    return run
