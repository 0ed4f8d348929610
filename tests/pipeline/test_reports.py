"""What a finished run shows: Snakemake's own report with the captions, and nothing missing without a word."""

from __future__ import annotations

import json

import pytest

from tests.pipeline.conftest import ROOT, run_graph

pytestmark = pytest.mark.slow


def test_snakemakes_own_report_holds_every_figure_with_its_caption(first_run, tmp_path):
    run_graph(first_run, "--report", str(tmp_path / "report.html"))
    text = (tmp_path / "report.html").read_text()
    for caption in sorted((ROOT / "workflow/report").glob("*.rst")):
        sentence = caption.read_text().split(".")[0].strip()
        assert json.dumps(sentence)[1:-1] in text or sentence in text, caption.name
    for figure in (first_run / "reports/figures").glob("*.png"):
        assert f"reports/figures/{figure.name}" in text


def test_the_table_names_the_weights_that_could_not_be_had_and_what_they_cost(first_run):
    text = (first_run / "reports/metrics.md").read_text()
    lacks = text.partition("## Missing from this report")[2]
    assert "External file" in lacks
    assert "vgg19_normalised" in lacks
    assert "left out: the weights of vgg19_normalised could not be had" in text
