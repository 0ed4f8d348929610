"""What every recipe's block of parameters has, and how models are named: recipe and objective, such as `mean2`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from blindface.params.base import Block
from blindface.params.data import OBJECTIVES, Objective

RecipeName = Literal["progressive", "mean", "gan", "flow"]
RECIPES: tuple[RecipeName, ...] = ("progressive", "mean", "gan", "flow")


class RecipeParams(Block):
    """The block `train.<recipe>`. A recipe of its own adds a subclass here, a field of TrainParams and its name above.

    reads_perceptual: whether `train.perceptual` decides its weights; begins_with: the recipe whose model of the same
    objective it begins with, or None. With blocks named `objective1` and `objective2` each reaches its objective alone.
    """

    reads_perceptual: ClassVar[bool] = False
    begins_with: ClassVar[RecipeName | None] = None

    epochs: int
    ema: float
    degradation: Literal["fixed", "fresh"]
    flip: bool

    def batch_size_of(self, objective: Objective) -> int:
        """Images per batch, those of all processes together."""
        raise NotImplementedError


def model_name(recipe: str, objective: Objective) -> str:
    """The model of a recipe and an objective, as its folder below data/models is called."""
    return f"{recipe}{OBJECTIVES.index(objective) + 1}"


def split_model(model: str) -> tuple[Any, Objective]:
    """Recipe, or what stands in its place, and objective of a model's name."""
    return model[:-1], OBJECTIVES[int(model[-1]) - 1]
