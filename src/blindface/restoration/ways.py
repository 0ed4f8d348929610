"""What every way of restoring is given and offers; the module that a `Method` names as its `way` makes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from blindface.base.errors import InputError
from blindface.base.images import Image
from blindface.restoration.methods import Method
from blindface.restoration.models import Model


class Restorer(Protocol):
    """A way of restoring; `prepare` holds the work that all values of its free number share."""

    def prepare(self, images: Image, ids: Sequence[str], first: Image | None = None) -> Any:
        """Blind images, uint8 (N, S, S, 3) -> whatever `finish` takes; first: the first model's results, if known."""

    def finish(self, prepared: Any, value: float) -> Image:
        """Restored images, uint8 (N, 128, 128, 3); value: of the free number, if the method has one."""


@dataclass(frozen=True)
class Given:
    """What a restorer is made of: loaded models, the blind images' side and file, and the parameters it may read."""

    method: Method
    models: Sequence[Model]
    blind_size: int
    pairs: str
    interpolation: str
    reduction: str


def make_restorer(given: Given) -> Restorer:
    """The restorer of a method. Errors: InputError if a model does not fit what it gets."""
    made: Restorer = import_module(f"blindface.restoration.{given.method.way}").restorer(given)
    return made


def check_size(model: Model, size: int, given: str) -> None:
    """A model must fit what it gets. Errors: InputError if it does not."""
    if model.input_size != size:
        raise InputError(
            f"{model.path} restores images of {model.input_size} px, but {given}: give the other objective's model or "
            "pairs"
        )
