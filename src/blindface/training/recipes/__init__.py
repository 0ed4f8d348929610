"""How models are trained: each recipe its networks, losses and update, all behind `base.Recipe`."""

from __future__ import annotations

from blindface.params.recipes import RecipeName
from blindface.training.recipes.base import Recipe, Setup

__all__ = ["Recipe", "Setup", "make_recipe", "recipe_class"]


def recipe_class(name: RecipeName) -> type[Recipe]:
    """The class of a recipe; its module is imported when it is wanted."""
    from blindface.training.recipes.flow.recipe import Flow
    from blindface.training.recipes.gan.recipe import Gan
    from blindface.training.recipes.mean.recipe import Mean
    from blindface.training.recipes.progressive.recipe import Progressive

    classes: dict[RecipeName, type[Recipe]] = {"progressive": Progressive, "mean": Mean, "gan": Gan, "flow": Flow}
    return classes[name]


def make_recipe(name: RecipeName, setup: Setup) -> Recipe:
    """A recipe at its beginning."""
    return recipe_class(name)(setup)
