"""The weights that training begins with where the parameters name a generator file in place of the seed's draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blindface.base.errors import InputError
from blindface.networks.model_file import load_generator, read_header
from blindface.params import Objective, ObjectiveParams
from blindface.training.state import TrainingState


def initial_file(choice: ObjectiveParams, objective: Objective) -> Path | None:
    """The file that an objective's parameters name, or None.

    Errors: InputError if it is missing, no generator file, or one of the other objective.
    """
    if choice.initial is None:
        return None
    path = Path(choice.initial).expanduser()
    with _naming_the_parameter(objective):
        trained = read_header(path).get("objective", objective)
        if trained != objective:
            raise InputError(f"{path} is a model of {trained}: give one of {objective}, or null for random weights")
    return path


def begin_with(state: TrainingState, path: Path, objective: Objective) -> None:
    """Give generator and average the averaged weights of a file, in place of the seed's draw.

    A refinement that the file lacks stays as drawn: it begins as the identity, so that training begins with the
    function of the file. Errors: InputError if the file is broken or of another shape than the parameters ask for.
    """
    with _naming_the_parameter(objective):
        source = load_generator(path)
        wanted = state.generator.arguments
        _refuse_other_shape(path, source.arguments, wanted)
    for network in (state.generator, state.average):
        network.load_state_dict(source.state_dict(), strict=source.arguments == wanted)


def _refuse_other_shape(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """The arguments of the constructor have to be the same, but for a refinement that is to be added."""
    added = {"refinement_blocks"} if found["refinement_blocks"] == 0 else set()
    different = [name for name in wanted if found[name] != wanted[name] and name not in added]
    if different:
        ours, theirs = (", ".join(f"{name} {values[name]}" for name in different) for values in (wanted, found))
        raise InputError(
            f"{path} is a generator of {theirs}, but the parameters ask for {ours}: ask for what the file has, or give "
            "another file"
        )


@contextmanager
def _naming_the_parameter(objective: Objective) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"train.{objective}.initial: {error}") from error
