"""The generator of a run that is not finished: from a checkpoint to a generator file."""

from __future__ import annotations

from pathlib import Path

import torch

from blindface.base import image_table
from blindface.base.errors import InputError, TrainingError
from blindface.params import TrainParams
from blindface.training.recipes import Recipe, Setup, make_recipe
from blindface.training.session.checkpoint import Checkpoint, load_checkpoint, newest_checkpoint
from blindface.training.session.resume import epochs_of


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
    recipe = _recipe(checkpoint, device)
    blinds = torch.from_numpy(image_table.read_images(train, "blind"))
    if blinds.shape[1] != recipe.network.input_size:
        raise InputError(
            f"{train} holds blind images of {blinds.shape[1]} px, but {identity['objective']} takes "
            f"{recipe.network.input_size}: give the pairs that the run trains on"
        )
    recipe.refresh_ema(blinds.to(device))
    progress = checkpoint.record["progress"]
    position = f"epoch {progress['epoch']} of {epochs_of(identity)}, batch {progress['batch']}"
    recipe.save(output, half=half, snapshot=position)
    return position


def _find(source: Path) -> Checkpoint:
    if source.is_file():
        return load_checkpoint(source)
    folder = source if source.name == "checkpoints" else source / "checkpoints"
    checkpoint = newest_checkpoint(folder)
    if checkpoint is None:
        raise InputError(f"{folder} holds no checkpoint: give a checkpoint, or the folder that `blindface train` wrote")
    return checkpoint


def _recipe(checkpoint: Checkpoint, device: torch.device) -> Recipe:
    """The recipe as it stood at a checkpoint, without what only its losses need."""
    identity = checkpoint.record["identity"]
    params = TrainParams.model_validate(identity["params"]["train"])
    recipe = make_recipe(identity["recipe"], Setup(params, identity["objective"], device))
    try:
        recipe.load(checkpoint.tensors)
    except (KeyError, RuntimeError) as error:
        raise TrainingError(
            f"the checkpoint holds other networks than its parameters say ({' '.join(str(error).split())[:200]}): "
            "it was written by another version of the code"
        ) from error
    return recipe
