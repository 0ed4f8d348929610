"""Through one model after the other; through none, blind images are enlarged for the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blindface.base.images import SIZE, Image, resize
from blindface.restoration.models import Model
from blindface.restoration.ways import Given, check_size


@dataclass(frozen=True)
class Passing:
    """Each model's result, a uint8 image, is what the next one gets."""

    models: Sequence[Model]
    interpolation: str

    def prepare(self, images: Image, ids: Sequence[str], first: Image | None = None) -> Image:
        """Blind images through all models, or on from the first one's results; uint8 (N, 128, 128, 3)."""
        models, passed = (self.models, images) if first is None else (self.models[1:], first)
        for model in models:
            passed = model(passed, ids)
        return np.stack([resize(image, SIZE, self.interpolation) for image in passed])

    def finish(self, prepared: Image, value: float) -> Image:
        """What was prepared: there is no free number."""
        return prepared


def restorer(given: Given) -> Passing:
    """Errors: InputError if a model does not fit the blind images or the result of the model before it."""
    for place, model in enumerate(given.models):
        size = SIZE if place else given.blind_size
        check_size(model, size, f"gets {size} px from {'the model before' if place else given.pairs}")
    return Passing(given.models, given.interpolation)
