"""The whole report: files, determinism, what happens when pieces are missing, and the page in a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from blindface.base.errors import InputError
from blindface.base.version import find_commit
from blindface.cli.named import named_paths
from blindface.params import OBJECTIVES, Params, load_params
from blindface.params.data import Interpolation
from blindface.report import Sources, build_report
from blindface.report.figures.files import PICTURES
from blindface.report.figures.group_charts import NAMES as GROUP_CHARTS
from blindface.report.figures.style import PALETTE
from blindface.report.inputs.material import gather, hashes
from blindface.report.page.page import DARK, durations
from blindface.report.text.facts import INTERPOLATIONS, run_facts
from blindface.report.text.summary import paragraph
from tests.unit.report.inputs import MODELS, write_inputs

PARAMS = '{"fetch": {"source": "embedded"}, "report": {"title": "A report of <drawn> faces", "examples": 5}}'


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Sources:
    return replace(write_inputs(tmp_path_factory.mktemp("inputs"), 10, 3), params=load_params([PARAMS]))


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    build_report(sources, folder, commit=find_commit())
    return folder


@pytest.fixture(scope="module")
def html(built) -> str:
    return (built / "index.html").read_text()


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def command(sources: Sources, output: Path) -> list[str]:
    words = [sys.executable, "-m", "blindface", "report", "--params", PARAMS, "--output", str(output)]
    for option in ("targets", "split", "skipped", "subgroups", "groups", "memorisation"):
        words += [f"--{option}", str(getattr(sources, option))]
    for option in ("pairs", "restored", "steps", "models"):
        for name, path in getattr(sources, option).items():
            words += [f"--{option}", f"{name}={path}"]
    for option in ("scores", "images", "weights"):
        for path in getattr(sources, option):
            words += [f"--{option}", str(path)]
    return words


CHARTS = (
    *("metrics", *GROUP_CHARTS),
    *(f"convergence_{model}" for model in MODELS),
    *(f"severity_{objective}" for objective in OBJECTIVES),
)


def test_every_named_file_is_written(built):
    files = set(read_files(built))
    figures = {f"figures/{name}.{kind}" for name in (*CHARTS, *PICTURES) for kind in ("png", "svg")}
    plots = {
        f"plots/{name}.csv"
        for name in ("metrics", "differences", "severity", *(f"convergence_{model}" for model in MODELS))
    }
    assert files == figures | plots | {"metrics.md", "metrics.json", "per_image.csv", "index.html"}


def test_the_command_in_another_process_gives_the_same_bytes(sources, built, tmp_path):
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    subprocess.run(command(sources, tmp_path / "again"), cwd=tmp_path, env=environment, check=True)
    first, second = read_files(built), read_files(tmp_path / "again")
    assert [name for name in first if first[name] != second.get(name)] == []
    assert len(first) == len(second)


def test_memorisation_stands_in_the_table_and_on_the_page(built):
    table = (built / "metrics.md").read_text().partition("## Memorisation")[2]
    assert re.search(
        r"\| progressive 1 \| +0.410 \| +0.400 \| +\+0.010 \[\+0.000, \+0.020\] \| +0.700 \| +2.5 % \|", table
    )
    page = (built / "index.html").read_text().partition("<h3>Memorisation</h3>")[2]
    assert "<small>[+0.000, +0.020]</small>" in page
    assert '<td class="ours first">2.5 %</td>' in page


def test_metrics_json_is_method_metric_number(built):
    values = json.loads((built / "metrics.json").read_text())
    assert set(values) == {"blind1", "progressive1", "blind2", "progressive2", "sequence"}
    assert values["progressive1"]["images"] == 10
    assert all(isinstance(number, int | float) for row in values.values() for number in row.values())


def test_the_table_says_what_was_run_and_that_it_is_not_lfw(built):
    text = (built / "metrics.md").read_text()
    assert "| Photographs | the embedded set of rendered faces: 10 of 5 people, 1 skipped |" in text
    assert "only show that everything works" in text
    assert "progressive 1: 3" in text
    assert "- External file vgg19 (VGG19) cannot be had: there is no network." in text
    assert "| Perceptual loss | left out: the weights of vgg19 could not be had |" in text


class Reader(HTMLParser):
    """Collects addresses that a browser would load, and the tags that stay open."""

    VOID = frozenset({"meta", "link", "img", "br", "input", "use", "path", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.sliders = 0

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.loads += [values[name] or "" for name in ("src", "srcset", "data", "poster") if name in values]
        if tag in ("link", "image", "use"):
            self.loads.append(values.get("href") or values.get("xlink:href") or "")
        if "id" in values:
            self.ids.append(values["id"])
        self.sliders += tag == "input" and values.get("type") == "range"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing(html):
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert [address for address in reader.loads if not address.startswith(("data:", "#"))] == []
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)[a-z]", html)
    assert not re.search(r"\b(fetch|XMLHttpRequest|import)\s*\(", html)
    assert len(reader.ids) == len(set(reader.ids))


def test_every_example_has_a_slider(html):
    reader = Reader()
    reader.feed(html)
    # five examples of each objective, four of the sequence
    assert reader.sliders == 14
    assert html.count('class="over') == 14


def test_texts_from_parameters_are_escaped(html):
    assert "<title>A report of &lt;drawn&gt; faces</title>" in html
    assert "<drawn>" not in html


def test_the_page_stays_small(built):
    assert (built / "index.html").stat().st_size < 3_000_000


def test_every_colour_has_a_dark_partner(html):
    assert set(DARK) == set(PALETTE)
    svgs = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(svgs) > 30
    assert not [svg for svg in svgs if any(value in svg for value in PALETTE.values())]


def test_without_photographs_no_picture_and_no_name_appears(sources, built, tmp_path):
    shutil.copytree(built / "figures", tmp_path / "figures")
    shutil.copy(built / "per_image.csv", tmp_path)
    build_report(replace(sources, models={}, images=()), tmp_path, photographs=False)
    files = read_files(tmp_path)
    assert "per_image.csv" not in files
    assert not [name for name in files if any(picture in name for picture in PICTURES)]
    text = files["index.html"].decode() + files["metrics.md"].decode()
    assert "<img" not in text
    assert "data:image" not in text
    assert "Person_" not in text
    assert "Broken_0001" not in text
    assert "Pictures of faces are left out" in text


def test_nothing_at_all_still_gives_a_report_that_says_so(tmp_path):
    build_report(Sources(Params()), tmp_path)
    text = (tmp_path / "metrics.md").read_text()
    assert "No scores of blind 16×16, progressive 1, sequence: 1, then 2, blind 128×128, progressive 2." in text
    assert "No training history of progressive1" in text
    page = (tmp_path / "index.html").read_text()
    assert "No restored images were given." in page
    assert {f"figures/{name}.png" for name in (*CHARTS, *PICTURES)} <= set(read_files(tmp_path))


def test_a_named_file_that_is_missing_is_named(sources, tmp_path):
    gone = tmp_path / "sequence.json"
    material = gather(replace(sources, scores=[*sources.scores[:4], gone]))
    assert any(str(gone) in sentence for sentence in material.lacks)


def test_a_broken_file_is_an_error_with_a_remedy(sources, tmp_path):
    (tmp_path / "history.csv").write_text("epoch\n1\n")
    with pytest.raises(InputError, match=r"history\.csv is not a training history \(no column step\): train again"):
        gather(replace(sources, models={"progressive1": tmp_path}))


def test_the_page_draws_every_loss_of_the_history(html):
    for title in ("Validation PSNR (dB)", "Critic's gap, real − restored", "Gradient penalty", "Attention loss"):
        assert html.count(f'aria-label="{title} by epoch') == 2, title


def test_scores_without_values_per_image_are_said_to_lack_them(sources):
    given = [path for path in sources.images if path.stem != "progressive2"]
    sentences = gather(replace(sources, images=given)).lacks
    assert (
        "No values per image of progressive 2: paired differences, strengths and per_image.csv lack them." in sentences
    )
    assert not [sentence for sentence in gather(sources).lacks if "values per image" in sentence]


def test_skipped_photographs_keep_names_that_look_like_numbers_or_gaps(sources, tmp_path):
    skipped = tmp_path / "skipped.csv"
    skipped.write_text("id,reason\n00012,too small\nNA,unreadable\n")
    assert gather(replace(sources, skipped=skipped)).skipped["id"].tolist() == ["00012", "NA"]


def test_a_folder_of_photographs_is_not_said_to_hold_so_many_people(sources):
    own = load_params(['{"fetch": {"source": "folder", "folder": "own"}}'])
    material = gather(replace(sources, params=own))
    assert dict(run_facts(material))["Photographs"] == "a folder of photographs: 10, 1 skipped"
    assert "(10 photographs)" in paragraph(material, ())


@pytest.mark.parametrize("display", get_args(Interpolation))
def test_the_enlargement_of_blind_images_is_named_because_it_moves_their_numbers(sources, display):
    params = load_params([json.dumps({"restore": {"display": display}})])
    text = dict(run_facts(gather(replace(sources, params=params))))["16×16 blind images"]
    assert text == f"enlarged by {INTERPOLATIONS[display]} interpolation"


def test_hashes_name_the_data_behind_the_numbers(sources):
    found = hashes(gather(sources))
    assert {"targets", "split", "test pairs, objective1", "generator, progressive2", "restored, sequence"} <= set(found)
    assert all(len(value) == 64 for value in found.values())


def test_a_misnamed_option_is_refused_with_an_example():
    with pytest.raises(InputError, match=r"--pairs a\.parquet is no pair: write it as NAME=PATH"):
        named_paths(["a.parquet"], "--pairs")
    with pytest.raises(InputError, match="--models names a twice"):
        named_paths(["a=b", "a=c"], "--models")
    assert named_paths(["a=b/c=d"], "--models") == {"a": Path("b/c=d")}


def test_jobs_stand_there_by_their_duration_and_broken_files_are_left_out(tmp_path):
    head = "s\th:m:s\tmax_rss\n"
    files = {
        "degrade.objective1.test": "2.0\t0:00:02\tNA\n",
        "evaluate.blind1": "9.5\t0:00:09\t1\n4.5\t0:00:04\t300.5\n",
        "my_rule": "1.0\t0:00:01\t10\n",
        "write_report": "9.0\t0:00:09\t10\n",
        "train.progressive1": "",
    }
    for name, row in files.items():
        (tmp_path / f"{name}.tsv").write_text(head + row)
    (tmp_path / "split.tsv").write_text("not a benchmark")
    (tmp_path / "check.tsv").write_text("")
    assert durations(tmp_path) == [
        ("evaluate, blind1", "4 s", 300.5),
        ("degrade, objective1, test", "2 s", None),
        ("my_rule", "1 s", 10.0),
    ]
    assert durations(None) == durations(tmp_path / "gone") == []
