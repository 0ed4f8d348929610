"""The foot of the page says what was run: parameters, commit, hashes, durations, skipped inputs, MLflow runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from blindface.params import load_params
from blindface.report import Sources
from blindface.report.figures.style import rc
from blindface.report.inputs.material import Material, gather, hashes
from blindface.report.page.page import write_page
from blindface.report.text.summary import find_out
from blindface.tracking import TrackedRun
from blindface.tracking.note import write_note
from blindface.tracking.record import record_key
from tests.unit.report.inputs import write_inputs

PARAMS = '{"fetch": {"source": "embedded"}, "train": {"progressive": {"learning_rate": 0.00321}}}'


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("inputs")
    sources = write_inputs(folder, 6, 1)
    for number, (objective, model) in enumerate(sorted(sources.models.items())):
        record = record_key(json.loads((model / "run.json").read_text()))
        write_note(model, TrackedRun("sqlite:///x", "faces", "1", f"{number:032d}", f"{objective} by night", record))
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "train.progressive1.tsv").write_text("s\th:m:s\tmax_rss\n7260\t2:01:00\t1234\n")
    return replace(sources, params=load_params([PARAMS]), benchmarks=folder / "benchmarks")


@pytest.fixture(scope="module")
def material(sources: Sources) -> Material:
    return gather(sources)


def page_of(material: Material, photographs: bool) -> str:
    with rc():
        text = write_page(material, find_out(material), photographs, "c0ffee123456")
    return text[text.index('<section id="run">') :]


@pytest.fixture(scope="module")
def run(material: Material) -> str:
    return page_of(material, photographs=True)


def test_the_commit_and_the_parameters_stand_there(run: str) -> None:
    assert "<dt>Reported by commit</dt><dd><code>c0ffee123456</code></dd>" in run
    assert "learning_rate: 0.00321" in run.partition("<summary>All parameters</summary>")[2]


def test_every_hash_of_the_data_stands_there(material: Material, run: str) -> None:
    known = hashes(material)
    assert len(known) > 8
    for name, value in known.items():
        assert f'<dt>{name}</dt><dd><code class="hash">{value}</code></dd>' in run, name


def test_durations_of_the_jobs_and_of_both_trainings_stand_there(run: str) -> None:
    assert '<th scope="row">train, progressive1</th><td>2 h 1 min</td><td>1,234 MB</td>' in run
    assert "progressive 1: 61 s, progressive 2: 61 s" in run


def test_both_runs_of_mlflow_stand_there(run: str) -> None:
    for number in (0, 1):
        assert f"{number:032d} (progressive{number + 1} by night, experiment faces)" in run


def test_skipped_inputs_stand_there_with_their_reasons_and_by_name_only_with_photographs(
    material: Material, run: str
) -> None:
    counted = "<dt>1</dt><dd>not an image</dd>"
    assert counted in run
    assert "<li><code>Broken/Broken_0001</code></li>" in run
    bare = page_of(material, photographs=False)
    assert counted in bare
    assert "Broken_0001" not in bare


def test_no_path_and_no_address_of_a_store_stands_there(material: Material, sources: Sources, run: str) -> None:
    assert str(Path(str(sources.targets)).parent) not in run
    assert not re.search(r"sqlite:///x", run)
