"""The tables of results with their titles and leads, in order, for the page and for metrics.md alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from blindface.evaluation.paper import PAPER
from blindface.report.inputs.material import Material
from blindface.report.text.results import (
    difference_table,
    memorisation_table,
    of_sets,
    other_protocol,
    per_image,
    same_protocol,
)
from blindface.report.text.summary import Findings
from blindface.report.text.table import Table


class Section(NamedTuple):
    """A table of results under its title, and what to know before reading it."""

    title: str
    lead: str
    table: Table


_SECTIONS: tuple[tuple[str, str, Callable[[Material, Findings], Table | None]], ...] = (
    (
        "Beside the paper",
        "↑ higher is better, ↓ lower is better. Ours: mean ± standard deviation over test batches, bold: the best on "
        f"the same inputs. The paper's: as printed in {PAPER}.",
        lambda material, _: same_protocol(material),
    ),
    (
        "Other backbones than the paper's",
        "These measure the same with other networks than the paper's. Their numbers and the paper's have different "
        "scales; only what restoring changes, the ratio to the blind row, can be set side by side.",
        lambda material, _: other_protocol(material),
    ),
    (
        "Per image",
        "Mean over test images with its bootstrap 95 % interval; bold: the best on the same inputs. A number of some "
        "images only says of how many and is never bold.",
        lambda material, _: per_image(material),
    ),
    (
        "All images together",
        "The features of all restored images together against those of their targets, each number with its 95 % "
        "interval: how far the sets are apart, and how much of each lies inside the other.",
        lambda material, _: of_sets(material),
    ),
    (
        "Paired differences",
        "The same test images by two methods: mean difference with its bootstrap 95 % interval. ✓ the first is better, "
        "✗ it is worse, ≈ the interval holds zero: these images do not tell.",
        lambda _, findings: difference_table(findings.differences),
    ),
    (
        "Memorisation",
        "Restored test faces looked up among the training faces: mean cosine of face embeddings with the nearest one, "
        "beside that of their originals, the difference with its 95 % interval, and the share of faces that are nearer "
        "to a training face than to their own original. A model that gives back what it has seen is high in both.",
        lambda material, _: memorisation_table(material),
    ),
)


def result_sections(material: Material, findings: Findings) -> list[Section]:
    """Those that this material has numbers for; none without scores."""
    if not material.scores:
        return []
    made = [(title, lead, make(material, findings)) for title, lead, make in _SECTIONS]
    return [Section(title, lead, table) for title, lead, table in made if table is not None]
