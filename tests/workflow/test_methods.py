"""Said once: a method in the table of methods, and a parameter in the model that the stages' slices are cut from."""

from __future__ import annotations

import json
import re
import shlex
import sys

import pytest

from tests.running import ROOT, Laboratory, jobs_of, run, snakemake

sys.path.insert(0, str(ROOT / "workflow"))

import experiment

from blindface.params import Params
from blindface.restoration.methods import METHODS

ENTRY = """
METHODS["median1"] = Method(
    "median1", "median of 3", "the middle of nine pixels", "objective1", ("#123456", "#abcdef"),
    way="median", tuned=Tuned("strengths", "turns"), optional=True, baseline=True,
)
"""
WAY = """
import cv2
import numpy as np


class Median:
    def prepare(self, images, ids, first=None):
        return images

    def finish(self, prepared, value):
        return np.stack([cv2.resize(cv2.medianBlur(image, 3), (128, 128)) for image in prepared])


def restorer(given):
    return Median()
"""
REPORT = """
from dataclasses import replace
from pathlib import Path

from blindface.base.image_table import read_table
from blindface.params import RestoreParams
from blindface.report import build_report
from blindface.restoration.stage import restore
from tests.unit.report.inputs import write_inputs, write_scores

here = Path.cwd() / "made"
sources = write_inputs(here, count=8, epochs=2)
draws = read_table(sources.pairs["objective1"])
given = RestoreParams(strengths=(1.0,))
assert restore("median1", sources.pairs["objective1"], [], here / "median1.restored.parquet", given) == 8
write_scores(here, "median1", 20.5, list(draws["id"]), draws)
scored = {"scores": [*sources.scores, here / "median1.json"], "images": [*sources.images, here / "median1.parquet"]}
build_report(replace(sources, **scored), here / "report")
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Laboratory:
    """The project with one more method, declared in one place, and the module of its way of restoring."""
    made = Laboratory.from_working_tree(tmp_path_factory.mktemp("house"))
    room = made.folder / "src/blindface/restoration"
    table = room / "methods.py"
    text = table.read_text()
    mark = '"""Every method of ours by name, in the order of the table."""\n'
    assert mark in text
    table.write_text(text.replace(mark, mark + ENTRY))
    (room / "median.py").write_text(WAY)
    return made


def test_a_method_of_ones_own_is_restored_evaluated_and_reported_by_the_graph(house):
    asked = ("--config", "restore={methods: [median1]}", "--", "reports/metrics.md")
    result = house.run("snakemake", "-n", "-p", "--cores", "2", *asked)
    assert (jobs_of(result)["restore"], jobs_of(result)["evaluate"]) == (6, 6)
    text = result.stdout + result.stderr
    assert "--method median1 --validation data/pairs/objective1/validation.parquet" in text
    assert "--restored median1=data/restored/median1.parquet" in text
    assert "--inputs median1=objective1" in text


def test_a_method_of_ones_own_stands_in_the_table_and_on_the_page_in_its_colour(house):
    run([sys.executable, "-c", REPORT], house.folder)
    table = (house.folder / "made/report/metrics.md").read_text()
    assert "| median of 3 " in table
    assert "median of 3 − progressive 1" in table
    page = (house.folder / "made/report/index.html").read_text()
    assert "<dt>median of 3</dt><dd>the middle of nine pixels" in page
    assert "--median1: #123456" in page
    assert "--median1: #abcdef" in page
    assert "var(--median1)" in page


def test_a_name_of_the_table_is_refused_for_somebody_elses_method(house):
    entry = "restore={external: [{name: median1, objective: objective1, folder: f}]}"
    result = run(["snakemake", "-n", "--cores", "1", "--config", entry], house.folder, check=False)
    assert "the table has a method of its own of that name" in result.stderr


def test_what_only_tells_of_a_method_restores_nothing_anew():
    asked = experiment.Experiment({"restore": {"methods": ["classical1"]}}, ROOT)
    files = {path.name for path in asked.code_files[asked.restore_code("classical1")]}
    assert {"classical.py", "stage.py", "tuning.py"} <= files
    assert not {"methods.py", "blending.py", "passing.py"} & files
    assert "methods.py" in {path.name for path in asked.code_files[asked.code("report")]}


def keys_of(values: dict) -> set[str]:
    return {f"{block}.{key}" for block, content in values.items() for key in content}


def test_every_parameter_reaches_a_stage(tmp_path):
    """What the report shows of other stages does not count: it shows all of them."""
    recipes = {"recipes": ["progressive", "mean", "gan", "flow"], "progressive": {"degradation": "fresh"}}
    whole = {"restore": {"methods": ["classical1", "mae1", "parallel"]}, "train": recipes}
    result = snakemake(
        *("--cores", "8", "-n", "-p", "--config", *(f"{k}={json.dumps(v)}" for k, v in whole.items())),
        *("--", "reports/metrics.md"),
        directory=tmp_path,
    )
    commands = re.findall(r"^(?:Shell command:)? *(blindface .*)$", result.stdout + result.stderr, re.MULTILINE)
    assert len(commands) > 20
    reached = {name for method in METHODS.values() for name in method.settings}
    for command in commands:
        words = shlex.split(command)
        values = [words[place + 1] for place, word in enumerate(words) if word == "--params"]
        found = {key for value in values if value.startswith("{") for key in keys_of(json.loads(value))}
        given = experiment.Experiment({}, ROOT)
        if "$BLINDFACE_TRACK" in values:
            found |= keys_of(json.loads(given.slice("track")))
        if "$BLINDFACE_EXECUTION" in values:
            found |= keys_of(json.loads(given.execution_settings()))
        reached |= {key for key in found if words[1] != "report" or key.startswith("report.")}
    assert keys_of(Params().model_dump()) - reached == set(experiment.GRAPH_KEYS)
