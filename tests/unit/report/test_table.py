"""The report's tables: arithmetic, formatting, notes, and the paper's numbers kept apart from other protocols."""

from __future__ import annotations

import pytest

from blindface.base.errors import InputError
from blindface.base.files import write_json
from blindface.evaluation.paper import PAPER_METRICS, PAPER_VALUES
from blindface.params import Params, validate
from blindface.report.inputs.material import Material, Sources
from blindface.report.inputs.scores import Metric, Scores, decimals, deviation, interval, read_scores
from blindface.report.text import results
from blindface.report.text.differences import Difference
from blindface.report.text.results import difference_table
from blindface.report.text.table import Table
from blindface.restoration.methods import method_of


def scores_of(method: str, **metrics: Metric) -> Scores:
    return Scores(method, 24, 8, metrics)


def metric(name: str, mean: float | None = None, deviation: float | None = None, **more: object) -> Metric:
    better = "lower" if name.startswith(("lpips", "fid", "frechet", "niqe")) else "higher"
    return Metric(name, name.upper(), better, mean, deviation, **more)


def material_of(scores: dict[str, Scores], params: Params | None = None) -> Material:
    return Material(Sources(params or Params()), scores=scores)


def same_protocol(scores: dict[str, Scores]) -> Table:
    return results.same_protocol(material_of(scores))


def other_protocol(scores: dict[str, Scores]) -> Table | None:
    return results.other_protocol(material_of(scores))


def per_image(scores: dict[str, Scores]) -> Table | None:
    return results.per_image(material_of(scores))


def cells(table, label: str) -> list[str]:
    return next([str(cell) for cell in row.cells] for row in table.rows if row.label == label)


def test_the_papers_numbers_are_those_of_its_table():
    # method.md, "Paper's results"
    assert [PAPER_VALUES["progressive2"][m.name].text for m in PAPER_METRICS] == [
        "22.0 ± 0.4",
        "0.64 ± 0.01",
        "0.862 ± 0.009",
        "0.31 ± 0.01",
        "6.8 ± 0.2",
        "35 ± 2",
    ]
    assert PAPER_VALUES["blind1"]["fid"].mean == 240


@pytest.mark.parametrize(("largest", "places"), [(0.9, 3), (21.9, 2), (240.0, 1), (1500.0, 0)])
def test_decimals_follow_the_largest_number_of_a_column(largest, places):
    assert decimals([0.01, largest, None]) == places


def test_details_are_printed_with_the_decimals_of_their_column_or_not_at_all():
    assert deviation(0.349, 2) == "± 0.35"
    assert interval((0.2811, 0.2999), 3) == "[0.281, 0.300]"
    assert interval((-0.2811, 0.2999), 2, "+") == "[−0.28, +0.30]"
    assert deviation(None, 2) == interval(None, 2) == ""


def test_the_same_protocol_stands_beside_the_papers_number():
    table = same_protocol({"progressive1": scores_of("progressive1", psnr_batch=metric("psnr_batch", 21.9, 0.2))})
    assert cells(table, "progressive 1")[:2] == ["21.90 ± 0.20", "20.6 ± 0.3"]
    assert cells(table, "sequence: 1, then 2")[1] == "–"


def test_another_backbone_is_never_in_the_papers_column_and_only_ratios_compare():
    scores = {
        "blind1": scores_of("blind1", lpips_squeeze=metric("lpips_squeeze", 0.50)),
        "progressive1": scores_of("progressive1", lpips_squeeze=metric("lpips_squeeze", 0.20)),
    }
    assert not any("LPIPS" in column.group for column in same_protocol(scores).columns)
    table = other_protocol(scores)
    assert [(column.group, column.name) for column in table.columns] == [
        ("LPIPS_SQUEEZE ↓", "ours"),
        ("LPIPS_SQUEEZE ↓", "÷ blind"),
        ("LPIPS (VGG) ↓", "paper"),
        ("LPIPS (VGG) ↓", "÷ blind"),
    ]
    # 0.20 / 0.50 and the paper's 0.295 / 0.468
    assert cells(table, "progressive 1") == ["**0.200**", "0.40", "0.295 ± 0.006", "0.63"]
    assert cells(table, "blind 16×16")[1] == "–"


def test_the_papers_own_backbone_goes_beside_the_paper():
    scores = {"progressive1": scores_of("progressive1", lpips_vgg=metric("lpips_vgg", 0.3), fid=metric("fid", 40.0))}
    assert other_protocol(scores) is None
    assert "LPIPS (VGG) ↓" in dict(same_protocol(scores).groups)


def test_a_missing_number_reads_na_with_its_reason_as_a_note_once():
    reason = "the weights 'niqe' are not in the mirror"
    scores = {name: scores_of(name, niqe=metric("niqe", unavailable=reason)) for name in ("blind1", "progressive1")}
    table = same_protocol(scores)
    number = table.notes.index("the weights 'niqe' are not in the mirror.") + 1
    assert cells(table, "progressive 1")[-4] == f"n/a ({number})"
    assert cells(table, "blind 16×16")[-4] == f"n/a ({number})"
    assert table.markdown().count(reason) == 1
    assert "No scores of 'progressive2' were given." in table.notes


def test_per_image_means_have_their_interval_and_sets_have_no_such_column():
    scores = {
        "progressive1": scores_of(
            "progressive1",
            psnr=metric("psnr", image_mean=22.104, interval=(21.9, 22.31)),
            fid=metric("fid", 40.0, unavailable="of a set"),
            identity=metric("identity", unavailable="no embedding"),
        )
    }
    table = per_image(scores)
    assert [column.group for column in table.columns] == ["PSNR ↑", "IDENTITY ↑"]
    assert cells(table, "progressive 1")[0] == "22.10 [21.90, 22.31]"
    assert cells(table, "progressive 1")[1].startswith("n/a (")


def test_the_best_of_the_methods_on_the_same_inputs_stands_out_in_the_metrics_direction():
    levels = {"blind1": 0.5, "progressive1": 0.2, "sequence": 0.3, "blind2": 0.1, "progressive2": 0.15, "gfpgan": 0.01}
    scores = {name: scores_of(name, niqe=metric("niqe", value)) for name, value in levels.items()}
    table = same_protocol(scores)
    place = [column.group for column in table.columns].index("NIQE ↓")
    assert {row.label for row in table.rows if row.cells[place].best} == {"progressive 1", "blind 128×128"}


def test_a_distance_of_sets_is_printed_with_its_own_interval():
    table = same_protocol({"progressive1": scores_of("progressive1", fid=metric("fid", 40.0, interval=(38.0, 42.0)))})
    assert "40.00 [38.00, 42.00]" in cells(table, "progressive 1")


@pytest.mark.parametrize(
    ("better", "bounds", "verdict", "text"),
    [
        ("lower", (-0.3, -0.1), "better", "✓ −0.200 [−0.300, −0.100]"),
        ("higher", (-0.3, -0.1), "worse", "✗ −0.200 [−0.300, −0.100]"),
        ("lower", (-0.5, 0.1), "unclear", "≈ −0.200 [−0.500, +0.100]"),
        ("lower", None, "unclear", "≈ −0.200"),
    ],
)
def test_a_difference_is_judged_by_its_interval_and_the_metrics_direction(better, bounds, verdict, text):
    entry = Difference("progressive1", "blind1", "m", "M", better, 24, -0.2, bounds)
    assert entry.verdict == verdict
    table = difference_table([entry])
    assert [row.label for row in table.rows] == ["progressive 1 − blind 16×16"]
    assert str(table.rows[0].cells[0]) == text


def test_methods_stand_by_the_inputs_they_saw_and_optional_ones_only_where_they_are_scored():
    scores = {name: scores_of(name, psnr_batch=metric("psnr_batch", 23.0)) for name in ("theirs", "mae1", "gfpgan")}
    scores["progressive1"] = scores_of("progressive1", psnr_batch=metric("psnr_batch", 22.0))
    theirs = [{"name": "theirs", "objective": "objective1", "folder": "f"}]
    table = results.same_protocol(material_of(scores, validate({"restore": {"external": theirs}})))
    assert [row.label for row in table.rows] == [
        "blind 16×16",
        "progressive 1, MAE only",
        "progressive 1",
        "sequence: 1, then 2",
        "theirs",
        "blind 128×128",
        "progressive 2",
        "gfpgan",
    ]
    assert cells(table, "gfpgan")[0] == "23.00"
    assert method_of("theirs", {"theirs": "objective1"}).blind == "blind1"
    assert {row.label for row in table.rows if row.cells[0].best} == {"progressive 1, MAE only"}


def test_markdown_rows_are_as_long_as_the_header():
    lines = (
        same_protocol({"progressive1": scores_of("progressive1", ssim=metric("ssim", 0.6, 0.01))})
        .markdown()
        .split("\n")
    )
    rows = [line for line in lines if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1
    assert len(rows) == 7


def test_a_score_file_of_another_form_is_refused_with_a_remedy(tmp_path):
    write_json(tmp_path / "x.json", {"method": "x", "images": 3})
    with pytest.raises(InputError, match=r"x\.json is not a score file.*blindface evaluate"):
        read_scores(tmp_path / "x.json")


def test_not_finite_scores_count_as_missing(tmp_path):
    entry = {"label": "PSNR", "better": "higher", "batch_mean": float("nan"), "unavailable": "none"}
    (tmp_path / "x.json").write_text(
        '{"method": "x", "images": 3, "batch_size": 1, "metrics": {"psnr_batch": '
        + str(entry).replace("'", '"').replace("nan", "NaN")
        + "}}"
    )
    assert read_scores(tmp_path / "x.json").metrics["psnr_batch"].value is None


def test_a_number_of_some_images_says_so_and_is_never_bold():
    half = metric("niqe", 4.0, 0.1, image_mean=4.0, interval=(3.5, 4.5), counted=12, images=24)
    whole = metric("niqe", 6.0, 0.1, image_mean=6.0, interval=(5.5, 6.5), counted=24, images=24)
    worst = metric("niqe", 9.0, 0.1, image_mean=9.0, interval=(8.5, 9.5), counted=24, images=24)
    scores = {
        "progressive2": scores_of("progressive2", niqe=half),
        "classical2": scores_of("classical2", niqe=whole),
        "blind2": scores_of("blind2", niqe=worst),
    }
    table = results.per_image(material_of(scores))
    cells = {row.label: str(row.cells[0]) for row in table.rows}
    assert cells[method_of("progressive2").label] == "4.00 [3.50, 4.50], 12 of 24 images"
    assert cells[method_of("classical2").label] == "**6.00** [5.50, 6.50]"
    assert "4.00 ± 0.10, 12 of 24 images" in results.same_protocol(material_of(scores)).markdown()


def test_a_difference_over_fewer_images_says_so_and_one_that_lost_images_has_no_verdict():
    given = ("progressive2", "blind2", "niqe", "NIQE", "lower", 12, -4.0, (-5.0, -3.0), 24)
    lost, shared = Difference(*given, lost=12), Difference(*given)
    assert (lost.verdict, shared.verdict) == ("unclear", "better")
    assert "12 of 24 images" in difference_table([lost]).markdown()


def test_distances_of_sets_have_a_table_of_their_own():
    kid = metric("kid", 1.25, interval=(1.0, 1.5), counted=24, images=24)
    precision = metric("precision_inception", 0.75, interval=(0.6, 0.9), counted=24, images=24)
    scores = {"blind2": scores_of("blind2", kid=kid, precision_inception=precision)}
    text = results.of_sets(material_of(scores)).markdown()
    assert "1.250 [1.000, 1.500]" in text
    assert "0.750 [0.600, 0.900]" in text
    assert results.per_image(material_of(scores)) is None
