"""The README's table of results, generated from a published folder between two marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from blindface.base.errors import InputError
from blindface.base.files import write_text
from blindface.evaluation.paper import PAPER_VALUES
from blindface.publish.results import read_results
from blindface.restoration.methods import in_order

BEGIN, END = "<!-- results: made by `make readme` -->", "<!-- end of results -->"
COLUMNS = (
    ("PSNR ↑", "psnr_batch", "psnr", 1),
    ("SSIM ↑", "ssim", "ssim", 2),
    ("MS-SSIM ↑", "ms_ssim", "ms_ssim", 3),
    ("NIQE ↓", "niqe", "niqe", 1),
)
RATIOS = (("LPIPS ÷ blind ↓", "lpips_", "lpips"), ("Fréchet ÷ blind ↓", "frechet_", "fid"))
"""Other backbones than the paper's measure on another scale: only the ratio to the blind input can be compared."""
Results = Mapping[str, Mapping[str, float | None]]


def results_table(results: Results) -> str:
    """Markdown: one row per method, the paper's number in brackets behind ours. results: metrics by method."""
    heads = [column[0] for column in (*COLUMNS, *RATIOS)]
    rows = [f"| ours (paper) | {' | '.join(heads)} |", "|---" + "|---:" * len(heads) + "|"]
    for method in in_order(results):
        name = method.name
        paper = PAPER_VALUES.get(name, {})
        cells = [
            _beside(results[name].get(metric), places, paper[theirs].mean if theirs in paper else None)
            for _, metric, theirs, places in COLUMNS
        ]
        for _, start, theirs in RATIOS:
            before = PAPER_VALUES.get(method.blind or "", {})
            known = theirs in paper and theirs in before and method.restores
            published = paper[theirs].mean / before[theirs].mean if known else None
            cells.append(_beside(_ratio(results, name, method.blind, start), 2, published))
        rows.append(f"| {method.label} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _ratio(results: Results, name: str, blind: str | None, start: str) -> float | None:
    if blind is None or blind == name or blind not in results:
        return None
    for metric, value in results[name].items():
        before = results[blind].get(metric)
        if metric.startswith(start) and value is not None and before:
            return value / before
    return None


def _beside(ours: float | None, places: int, paper: float | None) -> str:
    if ours is None:
        return "–"
    return f"{ours:.{places}f}" + (f" ({paper:.{places}f})" if paper is not None else "")


def update_readme(readme: Path, folder: Path) -> bool:
    """Put the table of the published `folder` between the marks of `readme`; returns whether the text changed.

    Errors: InputError if the marks or the results are missing.
    """
    text = Path(readme).read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{readme} has no place for the results: it needs the lines {BEGIN} and {END}")
    new = f"{before}{BEGIN}\n\n{results_table(read_results(folder))}\n\n{END}{after}"
    if new != text:
        write_text(readme, new)
    return new != text
