"""The generator of a run that is not finished: from a checkpoint to a generator file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from blindface.base import image_table
from blindface.base.errors import InputError, TrainingError
from blindface.networks import Generator
from blindface.networks.model_file import halve, save_generator
from blindface.params import Objective, TrainParams
from blindface.training.recipes.progressive.steps import make_networks
from blindface.training.session.checkpoint import Checkpoint, load_checkpoint, newest_checkpoint
from blindface.training.session.measuring import recalibrate_on


def write_snapshot(source: Path, train: Path, output: Path, *, half: bool, device: torch.device) -> str:
    """Write of a checkpoint's weights what a finished run writes of its last ones; returns the position in words.

    source: a checkpoint, or the folder of a model, of which the newest is taken; train: the pairs of the run, on whose
    images the averaged weights' batch statistics are measured; half: averaged weights alone, in half precision, as
    published. The file is a generator file for every stage; of the last checkpoint it holds what the run wrote, to the
    bit where as many threads sum.
    Errors: InputError if there is no checkpoint, or the pairs are not those of the objective.
    """
    checkpoint = _find(Path(source))
    identity = checkpoint.record["identity"]
    objective: Objective = identity["objective"]
    params = TrainParams.model_validate(identity["params"]["train"])
    average = _generator(checkpoint, params, objective, "average")
    blinds = torch.from_numpy(image_table.read_images(train, "blind"))
    if blinds.shape[1] != average.input_size:
        raise InputError(
            f"{train} holds blind images of {blinds.shape[1]} px, but {objective} takes {average.input_size}: give the "
            "pairs that the run trains on"
        )
    average.to(device)
    recalibrate_on(average, blinds.to(device), params.of(objective).batch_size)
    state = average.state_dict()
    if half:
        weights = {"ema": {name: halve(value) for name, value in state.items()}}
    else:
        weights = {"ema": state, "raw": _generator(checkpoint, params, objective, "generator").state_dict()}
    progress = checkpoint.record["progress"]
    position = f"epoch {progress['epoch']} of {params.epochs}, batch {progress['batch']}"
    save_generator(output, weights, average.arguments, objective=objective, snapshot=position)
    return position


def _find(source: Path) -> Checkpoint:
    if source.is_file():
        return load_checkpoint(source)
    folder = source if source.name == "checkpoints" else source / "checkpoints"
    checkpoint = newest_checkpoint(folder)
    if checkpoint is None:
        raise InputError(f"{folder} holds no checkpoint: give a checkpoint, or the folder that `blindface train` wrote")
    return checkpoint


def _generator(checkpoint: Checkpoint, params: TrainParams, objective: Objective, part: str) -> Generator:
    """A checkpoint's generator, averaged or not."""
    with torch.random.fork_rng(devices=[]):
        network, _ = make_networks(params, params.of(objective))
    found: dict[str, Any] = {
        name.removeprefix(f"{part}."): value
        for name, value in checkpoint.tensors.items()
        if name.startswith(f"{part}.")
    }
    try:
        network.load_state_dict(found)
    except RuntimeError as error:
        raise TrainingError(
            f"the checkpoint holds another generator than its parameters say ({' '.join(str(error).split())[:200]}): "
            "it was written by another version of the code"
        ) from error
    return network
