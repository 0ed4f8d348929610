"""The table of methods: each is declared here, once, and everything else is derived.

The rows of the table and of the page, their words and colours, the values of `restore.methods`, the names that an
external method (`restore.external`) cannot have, the parameters that each method's job reads, and the models that the
graph trains for it. To add a method, add a `Method` to `METHODS`; where it restores in a way of its own, add a module
with a function `restorer` beside this one and name it as the method's `way`.

A *model* is a recipe trained for an objective, `<recipe><n>`, and lies in `data/models/<recipe><n>`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The parameters take their values of `restore.methods` from here.
    from blindface.params.data import Objective


@dataclass(frozen=True)
class Tuned:
    """The one free number of a method: `restore.<key>` holds its values, of which the validation part chooses one."""

    key: str
    what: str


@dataclass(frozen=True)
class Method:
    """One method, which is one row of the table.

    name: in file names; label: in the table and on charts; what: what is done, in plain words; objective: whose blind
    images it sees, None where that is not known of somebody else's.
    way: the module of `blindface.restoration` whose `restorer` restores; models: what it passes, in this order;
    reads: the parameters that decide its result, beside those of `tuned`; begins: the method whose images are what its
    first model restores, so that they need not be made again.
    recipe: it is made where `train.recipes` has this one; optional: and only where `restore.methods` names it.
    baseline: it is there to be compared with, not for its own sake; lead: the row with the highest one stands for its
    objective in the summary, and others are compared with it (0: never); steps: its model has an output at each step,
    which the report shows; samples: it draws one of many images, whose spread the report shows; colour: on light and
    on dark ground.
    """

    name: str
    label: str
    what: str
    objective: Objective | None
    colour: tuple[str, str]
    way: str = "passing"
    models: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    tuned: Tuned | None = None
    begins: str | None = None
    recipe: str | None = None
    optional: bool = False
    baseline: bool = False
    lead: int = 0
    steps: bool = False
    samples: bool = False

    @property
    def blind(self) -> str | None:
        """The row of the blind images that it starts from."""
        return BLIND.get(self.objective) if self.objective else None

    @property
    def restores(self) -> bool:
        """False for the blind images themselves."""
        return self.name != self.blind

    @property
    def settings(self) -> tuple[str, ...]:
        """The parameters that decide its restored images, as `block.key`."""
        tuned = ("restore.criterion", f"restore.{self.tuned.key}") if self.tuned else ()
        models = ("restore.weights", "restore.device") if self.models else ()
        return ("restore.batch_size", *models, *tuned, *self.reads)

    @property
    def deciding(self) -> str:
        """What of this declaration decides the restored images: a change of it, and no other, restores anew."""
        return repr((self.objective, self.way, self.models, self.tuned and self.tuned.what, self.begins))


BLIND: Mapping[Objective, str] = {"objective1": "blind1", "objective2": "blind2"}
"""The row that is an objective's blind images."""
OTHERS = ("#7c4d9e", "#bd93dd")
"""The colour of other people's methods."""

_GREY, _BROWN, _PINK = ("#70757f", "#9aa0aa"), ("#6b5b4b", "#b8a48e"), ("#a03a6b", "#e08bb4")
_BLUE, _ORANGE = ("#2c64a6", "#76abed"), ("#b3590e", "#e79b54")
_GREEN, _PURPLE, _CYAN, _STEEL = (
    ("#4f7a1c", "#a5cc63"),
    ("#8c2f8f", "#d98bdc"),
    ("#006f8e", "#56b8d6"),
    ("#4d6b8a", "#a3bedb"),
)
_CLASSICAL = "a denoiser without learning (non-local means), enlarged by Lanczos; its strength is tuned on other images"
_STRENGTH = Tuned("strengths", "strength of non-local means, in levels")
_MEAN = "a U-Net that estimates the mean of all images that the blind one may come from"
_GAN = "that U-Net trained on with a relativistic GAN: one sharp image that may have been"
_FLOW = "a rectified flow from that mean to one of the images that may have been"
_FIDELITY = "GAN and mean of the same image, blended: how much is made up; the blend is tuned on other images"
_GAN_SHARE = Tuned("fidelity", "weight of the GAN in the blend with the mean")
_STEPS = ("restore.flow",)

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("blind1", "blind 16×16", "the degraded image itself, enlarged to 128×128", "objective1", _GREY,
               reads=("restore.display",), baseline=True),
        Method("classical1", "classical, 16×16", _CLASSICAL, "objective1", _BROWN,
               way="classical", tuned=_STRENGTH, optional=True, baseline=True),
        Method("mae1", "progressive 1, MAE only", "the same generator, trained for pixels alone", "objective1", _PINK,
               models=("mae1",), recipe="progressive", optional=True, baseline=True),
        Method("progressive1", "progressive 1", "the paper's model that makes 128×128 pixels out of 16×16",
               "objective1", _BLUE, models=("progressive1",), recipe="progressive", lead=1, steps=True),
        Method("mean1", "mean 1", _MEAN, "objective1", _GREEN, models=("mean1",), recipe="mean", lead=2),
        Method("gan1", "GAN 1", _GAN, "objective1", _PURPLE, models=("gan1",), recipe="gan", lead=4),
        Method("flow1", "flow 1", _FLOW, "objective1", _CYAN,
               models=("flow1",), reads=_STEPS, recipe="flow", lead=3, samples=True),
        Method("fidelity1", "fidelity 1: GAN, mean", _FIDELITY, "objective1", _STEEL, way="blending",
               models=("gan1", "mean1"), tuned=_GAN_SHARE, begins="gan1", recipe="gan", optional=True),
        Method("sequence", "sequence: 1, then 2", "progressive 1's output through progressive 2", "objective1",
               ("#1a7a6d", "#56bfae"), models=("progressive1", "progressive2"), begins="progressive1",
               recipe="progressive"),
        Method("blind2", "blind 128×128", "the degraded image itself", "objective2", _GREY,
               reads=("restore.display",), baseline=True),
        Method("classical2", "classical, 128×128", _CLASSICAL, "objective2", _BROWN,
               way="classical", tuned=_STRENGTH, optional=True, baseline=True),
        Method("mae2", "progressive 2, MAE only", "the same generator, trained for pixels alone", "objective2", _PINK,
               models=("mae2",), recipe="progressive", optional=True, baseline=True),
        Method("progressive2", "progressive 2", "the paper's model that restores images of 128×128",
               "objective2", _ORANGE, models=("progressive2",), recipe="progressive", lead=1, steps=True),
        Method("mean2", "mean 2", _MEAN, "objective2", _GREEN, models=("mean2",), recipe="mean", lead=2),
        Method("gan2", "GAN 2", _GAN, "objective2", _PURPLE, models=("gan2",), recipe="gan", lead=4),
        Method("flow2", "flow 2", _FLOW, "objective2", _CYAN,
               models=("flow2",), reads=_STEPS, recipe="flow", lead=3, samples=True),
        Method("fidelity2", "fidelity 2: GAN, mean", _FIDELITY, "objective2", _STEEL, way="blending",
               models=("gan2", "mean2"), tuned=_GAN_SHARE, begins="gan2", recipe="gan", optional=True),
        Method("parallel", "parallel: 2 with 1",
               "progressive 2 blended with progressive 1 on the reduced image; the blend is tuned on other images",
               "objective2", ("#9a6a00", "#d9a93f"), way="blending", models=("progressive2", "progressive1"),
               reads=("pairs.reduction",), tuned=Tuned("blend", "weight of progressive 2 in the blend"),
               begins="progressive2", recipe="progressive", optional=True),
    )
}  # fmt: skip
"""Every method of ours by name, in the order of the table."""

FORMER = {"objective1": "progressive1", "objective2": "progressive2"}
"""What rows were called before models were named by their recipe; reports of that time are still read."""


def current_name(name: str) -> str:
    """What a row of that name is called now."""
    return FORMER.get(name, name)


def optional_names() -> list[str]:
    """The values of `restore.methods`."""
    return [name for name, method in METHODS.items() if method.optional]


def reserved_names() -> set[str]:
    """Names that an external method cannot have."""
    return {*METHODS, *FORMER}


def chosen_methods(asked: Collection[str], recipes: Collection[str]) -> dict[str, Method]:
    """The methods that `restore.methods` and `train.recipes` ask for, in the order of the table."""
    return {
        name: method
        for name, method in METHODS.items()
        if (name in asked or not method.optional) and (method.recipe is None or method.recipe in recipes)
    }


def method_of(name: str, external: Mapping[str, Objective] = MappingProxyType({})) -> Method:
    """The method of that name, or somebody else's, by whose blind images it saw where that is known."""
    theirs = Method(name, name, "what another program made of our blind images", external.get(name), OTHERS)
    return METHODS.get(current_name(name), theirs)


def in_order(names: Iterable[str], external: Mapping[str, Objective] = MappingProxyType({})) -> list[Method]:
    """The methods of these names in the order of the table: by the images they saw, ours before others'."""
    places = {name: place for place, name in enumerate(METHODS)}

    def place(method: Method) -> tuple[str, int, str]:
        return method.objective or "unknown", places.get(method.name, len(places)), method.name

    return sorted({method.name: method for method in (method_of(name, external) for name in names)}.values(), key=place)


def lead_of(objective: Objective, names: Iterable[str]) -> Method | None:
    """The row that stands for an objective among these."""
    own = [method for method in in_order(names) if method.objective == objective and method.lead]
    return max(own, key=lambda method: method.lead, default=None)


def recipe_of(model: str) -> str:
    """The recipe of a model, `progressive` of `progressive1`."""
    return model.rstrip("12")


def objective_of(model: str) -> Objective:
    """The objective of a model, `objective1` of `progressive1`."""
    return "objective1" if model.endswith("1") else "objective2"
