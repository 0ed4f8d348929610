"""The head of a figure: its title and the key never lie on each other."""

from __future__ import annotations

from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from blindface.report.figures.charts import SEVERITY_MARGINS, SEVERITY_SIZE
from blindface.report.figures.style import PALETTE, add_key, panels, rc

TITLE = "Objective 2, 128×128: means of equal-width bins with 95 % intervals"
METHODS = [
    "blind 128×128",
    "classical, 128×128",
    "objective 2, MAE only",
    "objective 2",
    "parallel",
    "median",
    "theirs",
]


def figure_of(methods: list[str]) -> Figure:
    figure, _ = panels(5, 5, SEVERITY_SIZE, SEVERITY_MARGINS, TITLE)
    add_key(figure, [(name, PALETTE["other"]) for name in methods])
    return figure


@pytest.mark.parametrize("count", range(1, len(METHODS) + 1))
def test_no_name_of_the_key_lies_on_another_or_on_the_title(count: int) -> None:
    with rc():
        figure = figure_of(METHODS[:count])
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = [text.get_window_extent(renderer) for text in figure.texts]
    assert len(boxes) == count + 1
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert min(box.x0 for box in boxes) >= 0


def test_a_title_keeps_its_words_where_there_is_room_and_its_beginning_where_not() -> None:
    with rc():
        assert figure_of(METHODS[:2]).texts[0].get_text() == TITLE
        assert figure_of(METHODS).texts[0].get_text() == "Objective 2, 128×128"
