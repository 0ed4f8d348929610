"""Facts that several rooms read are said once: what could drift is held together here."""

from __future__ import annotations

import dataclasses

import torch

from blindface.degradation.draws import Drawn
from blindface.evaluation.paper import PAPER_BATCHES, PAPER_METRICS, PAPER_VALUES
from blindface.networks.generator import Generator
from blindface.params import validate
from blindface.params.progressive import STEP_SIZES
from blindface.restoration.methods import METHODS
from blindface.subgroups.draws import DRAWS


def test_every_drawn_parameter_has_a_name() -> None:
    assert list(DRAWS) == [field.name for field in dataclasses.fields(Drawn)]


def test_the_papers_rows_are_of_our_methods_and_its_batches_those_of_the_parameters() -> None:
    assert set(PAPER_VALUES) <= set(METHODS)
    assert all(set(row) == {metric.name for metric in PAPER_METRICS} for row in PAPER_VALUES.values())
    progressive = validate({}).train.progressive
    assert {name: progressive.of(name).batch_size for name in PAPER_BATCHES} == PAPER_BATCHES


def test_the_generator_gives_the_sizes_of_the_steps() -> None:
    outputs = Generator(channels=8)(torch.zeros(1, 3, 16, 16))
    assert [image.shape[-1] for image in outputs] == list(STEP_SIZES.values())
