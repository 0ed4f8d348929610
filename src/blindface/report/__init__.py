"""The report: tables, figures and one self-contained page, from files alone.

metrics.md                      the paper's table with ours beside it, per-image means, notes
metrics.json                    method -> metric -> number, for DVC (the mean over batches, else over images)
index.html                      the page
per_image.csv                   every metric of every test image by every method, see blindface.report.text.image_table
figures/*.png, *.svg            see blindface.report.figures.files
plots/differences.csv           method, base, metric, images, mean, low95, high95, verdict (paired, image by image)
plots/metrics.csv               method, metric, label, batch_mean, batch_std, image_mean, low95, high95, counted,
                                images, unavailable
plots/convergence_<model>.csv   the training history of a model
plots/severity.csv              objective, method, parameter, metric, low, high, images, mean, low95, high95
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from blindface.base.files import write_json, write_text
from blindface.report.figures import files as figures
from blindface.report.figures.style import rc
from blindface.report.inputs.analysis import severity_table
from blindface.report.inputs.material import Material, Sources, gather
from blindface.report.inputs.names import meaning_of
from blindface.report.page.page import write_page
from blindface.report.text import facts
from blindface.report.text.differences import difference_frame
from blindface.report.text.groups import groups_text, read_groups
from blindface.report.text.image_table import write_image_table
from blindface.report.text.sections import result_sections
from blindface.report.text.summary import Findings, find_out, paragraph

__all__ = ["Sources", "build_report"]


def build_report(sources: Sources, output: Path, photographs: bool = True, commit: str | None = None) -> None:
    """Write the whole report into a folder; what is missing among the sources is named in it.

    Without `photographs` no picture of a face and no image id appears. Equal inputs give equal bytes.
    Errors: InputError for an input that is there but broken.
    """
    material = gather(sources, photographs)
    findings = find_out(material)
    write_text(output / "metrics.md", metrics_text(material, findings))
    write_json(output / "metrics.json", metrics_values(material))
    write_image_table(material, output, photographs)
    _write_plots(material, findings, output / "plots")
    with rc():
        figures.write_figures(material, output / "figures", photographs)
        write_text(output / "index.html", write_page(material, findings, photographs, commit))


def metrics_values(material: Material) -> dict[str, dict[str, float | int]]:
    """Method -> metric -> number; metrics without a number are left out."""
    values: dict[str, dict[str, float | int]] = {}
    for name, score in sorted(material.scores.items()):
        numbers: dict[str, float | int] = {"images": score.images}
        for metric in score.metrics.values():
            if metric.value is not None:
                numbers[metric.name] = round(metric.value, 6)
            if metric.partial:
                numbers[f"{metric.name}_counted"] = metric.counted
        values[name] = numbers
    return values


def metrics_text(material: Material, findings: Findings) -> str:
    """The content of metrics.md."""
    lines = [f"# {material.title}", "", paragraph(material, findings.changes), ""]
    lines += [f"- {sentence}" for sentence in facts.caveats(material)]
    if material.scores:
        for section in result_sections(material, findings):
            table = section.table.markdown().rstrip("\n")
            lines += ["", f"## {section.title}", "", section.lead, "", table]
        lines += _protocols(material)
    groups = read_groups(material.sources.subgroups, material.sources.groups)
    if groups is not None:
        lines += groups_text(material, groups)
    lines += ["", "## What was run", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.run_facts(material)]
    if material.lacks:
        lines += ["", "## Missing from this report", "", *(f"- {sentence}" for sentence in material.lacks)]
    return "\n".join(lines).rstrip() + "\n"


def _protocols(material: Material) -> list[str]:
    texts: dict[str, str] = {}
    for score in material.scores.values():
        for metric in score.metrics.values():
            meaning = meaning_of(metric.name)
            words = f"{meaning}. " if meaning else ""
            texts.setdefault(metric.name, f"- {metric.label} (`{metric.name}`): {words}Protocol: {metric.protocol}.")
    return ["", "## What each number means", "", *texts.values()] if texts else []


def _write_plots(material: Material, findings: Findings, folder: Path) -> None:
    rows = [
        (score.method, metric.name, metric.label, metric.batch_mean, metric.batch_std, metric.image_mean)
        + (metric.interval or (None, None))
        + (metric.counted, metric.images, metric.unavailable)
        for _, score in sorted(material.scores.items())
        for metric in score.metrics.values()
    ]
    columns = ["method", "metric", "label", "batch_mean", "batch_std", "image_mean", "low95", "high95"]
    columns += ["counted", "images", "unavailable"]
    _write_csv(pd.DataFrame(rows, columns=columns), folder / "metrics.csv")
    _write_csv(difference_frame(findings.differences), folder / "differences.csv")
    for model in material.models:
        history = material.history.get(model, pd.DataFrame(columns=["epoch", "step"]))
        _write_csv(history, folder / f"convergence_{model}.csv")
    pairs = [(str(method.objective), method.name) for method in material.rows(material.per_image)]
    _write_csv(severity_table(material.per_image, dict(material.draws), pairs), folder / "severity.csv")


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    write_text(path, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
