"""The methods that the table compares: whose blind images each restores, and which trained models it passes.

| method | blind images of | what is done |
|---|---|---|
| blind1, blind2 | objective 1, 2 | nothing but the change to 128x128 for the metrics |
| classical1, classical2 | objective 1, 2 | non-local means, then Lanczos to 128x128 |
| mae1, mae2 | objective 1, 2 | that objective's generator, trained with the absolute error alone |
| objective1, objective2 | objective 1, 2 | that objective's model |
| sequence | objective 1 | objective 1's model, its result as a uint8 image through objective 2's model |
| parallel | objective 2 | objective 2's model, blended with objective 1's model on the image reduced to 16x16 |

External methods (`restore.external`) come on top: what others made of the same blind images.
"""

from __future__ import annotations

from dataclasses import dataclass

from blindface.params import Objective, RestoreParams


@dataclass(frozen=True)
class Method:
    """One method: whose test images it sees, the folders below data/models that it passes, and what it is at heart.

    `chosen`: one of its numbers (a strength, a blend) is chosen on the validation part. `begins`: the method whose
    restored images are those of its first model, so that they need not be made again.
    """

    name: str
    objective: Objective
    models: tuple[str, ...] = ()
    chosen: bool = False
    begins: str | None = None

    @property
    def needs_gpu(self) -> bool:
        """Whether a GPU is of any use to it."""
        return bool(self.models)


METHODS = {
    method.name: method
    for method in (
        Method("blind1", "objective1"),
        Method("classical1", "objective1", chosen=True),
        Method("mae1", "objective1", ("mae1",)),
        Method("objective1", "objective1", ("progressive1",)),
        Method("sequence", "objective1", ("progressive1", "progressive2"), begins="objective1"),
        Method("blind2", "objective2"),
        Method("classical2", "objective2", chosen=True),
        Method("mae2", "objective2", ("mae2",)),
        Method("objective2", "objective2", ("progressive2",)),
        Method("parallel", "objective2", ("progressive2", "progressive1"), chosen=True, begins="objective2"),
    )
}
"""Every method of ours by name, in the order of the table."""

ALWAYS = ("blind1", "objective1", "sequence", "blind2", "objective2")
"""The methods that no parameter turns off."""


def chosen_methods(params: RestoreParams) -> dict[str, Method]:
    """The methods of ours that these parameters ask for, in the order of the table."""
    return {name: method for name, method in METHODS.items() if name in ALWAYS or name in params.methods}
