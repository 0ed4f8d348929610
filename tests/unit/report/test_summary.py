"""The opening paragraph and the paired differences behind it, against known answers."""

from __future__ import annotations

import pandas as pd
import pytest

from blindface.params import validate
from blindface.report.inputs.material import Material, Sources
from blindface.report.inputs.scores import Metric, Scores
from blindface.report.text.differences import difference_frame, differences
from blindface.report.text.summary import find_out, paragraph

IDS = [f"p{number:02d}" for number in range(20)]
METRICS = {"psnr_batch": "higher", "psnr": "higher", "lpips_vgg": "lower"}


def material_of(source: str = "lfw", **levels: tuple[float, float]) -> Material:
    """Methods with a PSNR and an LPIPS each; images differ, the difference between two methods hardly does."""
    material = Material(
        Sources(validate({"fetch": {"source": source, "folder": "own" if source == "folder" else None}}))
    )
    for method, (psnr, lpips) in levels.items():
        spread = [((number * 7) % 20 - 9.5) / 5 for number in range(20)]
        jitter = [0.005 * ((number + len(method)) % 5 - 2) for number in range(20)]  # of mean zero
        frame = pd.DataFrame({"id": IDS, "psnr": [psnr + s + j for s, j in zip(spread, jitter, strict=True)]})
        frame["lpips_vgg"] = [lpips + 0.01 * s for s in spread]
        material.per_image[method] = frame
        means = {"psnr_batch": psnr, "psnr": psnr, "lpips_vgg": lpips}
        metrics = {
            name: Metric(name, name, better, batch_mean=means[name], image_mean=means[name])
            for name, better in METRICS.items()
        }
        material.scores[method] = Scores(method, len(IDS), 8, metrics)
    return material


def test_a_difference_is_taken_image_by_image():
    found = differences(material_of(blind1=(20.0, 0.5), progressive1=(20.5, 0.5)))
    assert [(entry.method, entry.base, entry.metric) for entry in found] == [
        ("progressive1", "blind1", "psnr"),
        ("progressive1", "blind1", "lpips_vgg"),
    ]
    assert found[0].mean == pytest.approx(0.5, abs=0.01)
    # images scatter by 1.2 dB, their differences by 0.01 dB
    assert found[0].interval[1] - found[0].interval[0] < 0.02
    assert [entry.verdict for entry in found] == ["better", "unclear"]


def test_combinations_are_also_compared_with_the_model_of_their_objective():
    levels = {"blind1": (20.0, 0.5), "progressive1": (21.0, 0.3), "sequence": (20.4, 0.2)}
    pairs = difference_frame(differences(material_of(**levels)))
    assert list(pairs[pairs["metric"] == "psnr"][["method", "base", "verdict"]].itertuples(index=False, name=None)) == [
        ("progressive1", "blind1", "better"),
        ("sequence", "blind1", "better"),
        ("sequence", "progressive1", "worse"),
    ]


def test_tables_of_other_images_give_no_difference():
    material = material_of(blind1=(20.0, 0.5), progressive1=(20.5, 0.5))
    material.per_image["blind1"] = material.per_image["blind1"].assign(id=[f"q{number}" for number in range(20)])
    assert differences(material) == []


def test_the_paragraph_says_what_was_done_and_what_came_out():
    levels = {"blind1": (20.1, 0.47), "progressive1": (20.9, 0.3), "blind2": (23.0, 0.5), "progressive2": (22.0, 0.4)}
    material = material_of(**levels)
    material.photographs, material.people = 13233, 5749
    material.parts = {"train": 10586, "validation": 0, "test": 2647}
    text = paragraph(material, find_out(material).changes)
    assert text.startswith("Faces from LFW, 250×250 (13,233 photographs of 5,749 people) were degraded on purpose")
    assert "trained on 10,586 images and are tested on 2,647" in text
    assert (
        "Progressive 1 brings the images nearer to the originals pixel by pixel"
        " (PSNR 20.10 → 20.90 dB, higher is better)"
        " and makes them look more like the originals to a network fitted to people's judgement"
        " (LPIPS (VGG) 0.470 → 0.300, lower is better)." in text
    )
    assert "Progressive 2 takes the images farther from the originals pixel by pixel" in text
    assert ", but makes them look more like" in text
    assert "The paper reports, on LFW, PSNR 20.1 → 20.6 dB for progressive 1" in text


def test_rendered_faces_are_not_called_photographs():
    material = material_of("embedded")
    material.photographs, material.people = 120, 40
    text = paragraph(material, [])
    assert text.startswith("Faces from the embedded set of rendered faces (120 images of 40 people) were degraded")
    assert "photograph" not in text


def test_people_are_not_counted_where_every_photograph_has_its_own():
    material = material_of("folder")
    material.photographs = material.people = 31
    assert "a folder of photographs (31 photographs) were degraded" in paragraph(material, [])


def test_no_difference_is_not_sold_as_one():
    material = material_of(blind1=(20.0, 0.5), progressive1=(20.0001, 0.5))
    assert [change.verdict for change in find_out(material).changes] == ["unclear", "unclear"]
    assert "does not clearly bring" in paragraph(material, find_out(material).changes)


def test_batches_that_contradict_the_images_leave_the_verdict_open():
    material = material_of(blind1=(20.0, 0.5), progressive1=(20.5, 0.4))
    metrics = dict(material.scores["progressive1"].metrics)
    metrics["psnr_batch"] = Metric("psnr_batch", "PSNR", "higher", batch_mean=19.0)
    material.scores["progressive1"] = Scores("progressive1", 20, 8, metrics)
    assert [change.verdict for change in find_out(material).changes] == ["unclear", "better"]


def test_without_scores_the_paragraph_says_that_nothing_is_known():
    assert "Nothing can be said about the outcome" in paragraph(material_of(), [])


@pytest.mark.parametrize(
    ("fetch", "title"),
    [
        ({"source": "lfw"}, "Blind face restoration on LFW"),
        ({"source": "folder", "folder": "faces"}, "Blind face restoration on own photographs"),
        ({"source": "embedded"}, "Blind face restoration on rendered faces"),
    ],
)
def test_the_title_names_the_photographs_unless_one_is_given(fetch: dict[str, str], title: str) -> None:
    assert Material(Sources(validate({"fetch": fetch}))).title == title
    assert Material(Sources(validate({"fetch": fetch, "report": {"title": "Mine"}}))).title == "Mine"
