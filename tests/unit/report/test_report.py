"""The whole report: files, determinism, what happens when pieces are missing, and the page in a browser."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image as Pillow

from blindface.base.errors import InputError
from blindface.base.image_table import ImageTableWriter
from blindface.base.version import find_commit
from blindface.cli.named import named_paths
from blindface.params import OBJECTIVES, Params, load_params
from blindface.params.data import Interpolation
from blindface.report import Sources, build_report
from blindface.report.durations import read_durations
from blindface.report.figures.files import PICTURES
from blindface.report.figures.group_charts import NAMES as GROUP_CHARTS
from blindface.report.figures.style import PALETTE
from blindface.report.inputs.material import Material, gather, hashes
from blindface.report.page.cards import spread_groups
from blindface.report.page.page import DARK
from blindface.report.text.facts import INTERPOLATIONS, run_facts
from blindface.report.text.summary import paragraph
from blindface.tracking import TrackedRun
from blindface.tracking.note import write_note
from blindface.tracking.record import record_key
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


def test_durations_come_in_the_order_of_the_data_and_broken_files_are_left_out(tmp_path):
    head = "s\th:m:s\tmax_rss\n"
    files = {
        "evaluate.blind1": "4.5\t0:00:04\t300.5\n",
        "degrade.objective1.test": "2.0\t0:00:02\tNA\n",
        "my_rule": "1.0\t0:00:01\t10\n",
        "write_report": "9.0\t0:00:09\t10\n",
        "train.progressive1": "",
    }
    for name, row in files.items():
        (tmp_path / f"{name}.tsv").write_text(head + row)
    (tmp_path / "split.tsv").write_text("not a benchmark")
    assert [(found.name, found.seconds, found.megabytes) for found in read_durations(tmp_path)] == [
        ("degrade.objective1.test", 2.0, None),
        ("evaluate.blind1", 4.5, 300.5),
        ("my_rule", 1.0, 10.0),
    ]
    assert read_durations(None) == read_durations(tmp_path / "gone") == []


def test_the_run_of_mlflow_is_named_without_the_address_of_the_store(sources, tmp_path):
    shutil.copytree(sources.models["progressive1"], tmp_path / "progressive1")
    models = {"progressive1": tmp_path / "progressive1"}
    assert dict(run_facts(gather(replace(sources, models=models))))["MLflow runs"] == "none is noted beside the models"
    record = record_key(json.loads((tmp_path / "progressive1/run.json").read_text()))
    run = TrackedRun("https://me:secret@host", "faces", "1", "0123abcd", "progressive1 on 2 May", record)
    write_note(tmp_path / "progressive1", run)
    text = dict(run_facts(gather(replace(sources, models=models))))["MLflow runs"]
    assert text == "progressive 1: 0123abcd (progressive1 on 2 May, experiment faces)"


def test_what_a_method_chose_on_the_validation_part_is_said(tmp_path):
    chosen = {
        "what": "weight of progressive 2 in the blend",
        "value": 0.75,
        "criterion": "psnr",
        "images": 8,
        "means": {},
    }
    path = tmp_path / "parallel.parquet"
    with ImageTableWriter(path, {"id": pa.string()}, {"image": (8, 8, 3)}, {"chosen": json.dumps(chosen)}) as writer:
        writer.append({"id": ["a"]}, {"image": np.zeros((1, 8, 8, 3), np.uint8)})
    material = Material(Sources(Params(), restored={"parallel": path}))
    assert material.chosen("parallel") == "weight of progressive 2 in the blend: 0.75, by psnr on 8 validation images"
    assert material.chosen("progressive1") == ""


def test_missing_pieces_of_every_kind_are_named(sources):
    lacking = replace(
        sources, split=None, memorisation=None, skipped=None, targets=None, models={}, steps={}, restored={}
    )
    text = " ".join(gather(lacking).lacks)
    for piece in (
        "No split",
        "No memorisation",
        "No list of skipped photographs",
        "No targets",
        "No training history of progressive1",
        "No training record of progressive2",
        "No restored images of progressive 1, sequence: 1, then 2, progressive 2",
        "No outputs of the single steps of progressive 1, progressive 2",
    ):
        assert piece in text


@pytest.fixture(scope="module")
def browser():
    place = shutil.which("chromium") or shutil.which("google-chrome")
    if place is None or find_spec("playwright") is None:
        lacks = "chromium on this system" if place is None else "playwright in this environment"
        warnings.warn(f"no {lacks}: the page is NOT tested in a browser", stacklevel=1)
        pytest.skip(f"NOT tested in a browser: no {lacks}")
    from playwright import sync_api as playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as engine:
        found = engine.chromium.launch(executable_path=place, args=arguments)
        yield found
        found.close()


@pytest.fixture
def page(browser, built):
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark", has_touch=True)
    tab = context.new_page()
    tab.complaints, tab.requests = [], []
    tab.on("console", lambda message: tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("request", lambda request: tab.requests.append(request.url))
    tab.goto((built / "index.html").as_uri())
    yield tab
    context.close()


def cut(page) -> float:
    return float(page.locator(".compare").first.evaluate("e => parseFloat(e.style.getPropertyValue('--cut'))"))


def test_the_page_opens_without_complaint_and_without_requests(page):
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


def test_sliders_move_by_keyboard(page):
    slider = page.locator(".compare input").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert cut(page) == 52
    assert "52 % blind" in slider.get_attribute("aria-valuetext")
    page.keyboard.press("Home")
    assert cut(page) == 0


def test_sliders_follow_the_mouse_and_cut_the_picture_there(page):
    slider = page.locator(".compare input").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 30, steps=4)
    page.mouse.up()
    assert cut(page) == pytest.approx(20, abs=2)
    clip = page.locator(".compare .over").first.evaluate("e => getComputedStyle(e).clipPath")
    assert "80%" in clip or "79%" in clip or "81%" in clip


def test_sliders_follow_a_finger(page):
    slider = page.locator(".compare input").nth(1)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.75, box["y"] + 30)
    moved = page.locator(".compare").nth(1).evaluate("e => parseFloat(e.style.getPropertyValue('--cut'))")
    assert moved == pytest.approx(75, abs=2)


def test_every_slider_is_reached_by_the_tab_key_and_says_what_it_compares(page):
    names = page.evaluate("[...document.querySelectorAll('.compare input')].map(e => e.getAttribute('aria-label'))")
    assert len(set(names)) == len(names) == 14
    page.locator(".compare input").first.focus()
    for _ in names[1:]:
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == names[-1]


# What sticks out of a phone's screen, apart from what lies in an area that scrolls by itself.
OUTSIDE = """[...document.querySelectorAll('main *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 1 && (box.right > 390.5 || box.left < -0.5) && !e.closest('.scroll, pre, svg');
}).map(e => e.outerHTML.slice(0, 80))"""


def test_a_phone_needs_no_sideways_scrolling(page):
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_without_scripts_the_page_shows_both_halves(browser, built):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((built / "index.html").as_uri())
    clip = tab.locator(".compare .over").first
    assert clip.is_visible()
    assert "50%" in (built / "index.html").read_text().split(".compare {")[1].split("}")[0]
    context.close()


def test_the_button_changes_between_dark_and_light(page):
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.locator("#theme").click()
    assert page.evaluate(colour) != dark
    page.locator("#theme").click()
    assert page.evaluate(colour) == dark


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours `#rrggbb`, as WCAG 2.2 defines it."""
    lights = []
    for text in (one, other):
        parts = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("palette", [PALETTE, DARK], ids=["light", "dark"])
def test_every_colour_of_text_can_be_read_on_the_page(palette):
    # the page tells roles apart by their value on light ground
    assert len({PALETTE[role] for role in palette}) == len({(PALETTE[role], DARK[role]) for role in palette})
    # 4.5: WCAG 2.2, success criterion 1.4.3, level AA
    weak = {name for name, value in palette.items() if contrast(value, palette["paper"]) < 4.5}
    assert weak == {"paper", "line"}


def test_what_a_flow_makes_up_is_a_map_on_the_page(sources, tmp_path):
    ids = gather(sources).test_ids()[:2]
    mean, spread = np.full((2, 128, 128, 3), 90, np.uint8), np.zeros((2, 128, 128, 3), np.uint8)
    spread[:, :64] = 24
    with ImageTableWriter(
        tmp_path / "spread", {"id": pa.string()}, dict.fromkeys(("mean", "spread"), (128, 128, 3))
    ) as writer:
        writer.append({"id": ids}, {"mean": mean, "spread": spread})
    (group,) = spread_groups(gather(replace(sources, spread={"flow1": tmp_path / "spread"})))
    assert group["heads"] == ["blind", "mean of samples", "made up", "original"]
    shown = np.asarray(Pillow.open(BytesIO(base64.b64decode(group["rows"][0][2].partition(",")[2]))))
    assert (shown[0, 0].tolist(), shown[-1, 0].tolist()) == ([128] * 3, [0] * 3)  # half of 48 levels, and none
