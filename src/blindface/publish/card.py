"""The model card: what a person must know before using a published generator (Mitchell et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from blindface.base.errors import InputError
from blindface.base.files import read_json, write_text
from blindface.networks.model_file import read_header
from blindface.report.inputs.names import SOURCES
from blindface.report.inputs.scores import arrow
from blindface.restoration.methods import BLIND
from blindface.subgroups.kinds import ISSUES

SHOWN = ("psnr", "ssim", "ms_ssim", "lpips_squeeze", "niqe", "identity")
"""Metrics of the groups' table, where the experiment has them."""
LIMITS = ("b", "c", "d", "e")
"""The issues whose groups stand in the card."""


def write_card(
    folder: Path,
    scores: Path,
    output: Path,
    *,
    photographs: str,
    digest: str,
    groups: Path | None = None,
) -> None:
    """Write the card of a published generator as Markdown to `output`.

    folder: of the trained model; scores: JSON of its method's metrics on the test part; photographs: `fetch.source`;
    digest: SHA-256 of the published file; groups: `reports/subgroups.csv`, if there is one.
    """
    run, found = read_json(Path(folder) / "run.json"), read_json(scores)
    network = read_header(Path(folder) / "generator.safetensors")["arguments"]
    objective = run["objective"]
    train = run["params"]["train"]
    block = train.get(run.get("recipe", ""), train)  # an older run had one recipe
    choice = block[objective]
    blind = read_json(Path(scores).with_name(f"{BLIND[objective]}.json"))
    text = _template().render(
        name=Path(output).stem,
        size="16×16" if objective == "objective1" else "128×128",
        digest=digest,
        photographs=SOURCES.get(photographs, photographs),
        run=run,
        network=", ".join(f"{name.replace('_', ' ')} {value}" for name, value in network.items()),
        epochs=_epochs(Path(folder) / "history.csv", block["epochs"]),
        train={**train, **block},
        choice=choice,
        losses=[name for name, value in choice.items() if isinstance(value, dict) and "final" in value],
        test=found["images"],
        results=_results(found, blind),
        groups=_groups(groups, Path(scores).stem),
    )
    write_text(output, text)


def _template() -> jinja2.Template:
    source = resources.files("blindface.publish").joinpath("card.md.j2").read_text()
    return jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined).from_string(source)


def _epochs(history: Path, asked: int) -> str:
    """How many epochs were trained: a published state may be one from before the end."""
    done = int(pd.read_csv(history)["epoch"].max())
    return f"{done}" if done == asked else f"{done} of {asked}"


def _results(found: Mapping[str, Any], blind: Mapping[str, Any]) -> list[list[str]]:
    """Cells of the table of results: label with direction, blind, restored, interval."""
    rows = []
    for name, metric in found["metrics"].items():
        if metric["batch_mean"] is not None:
            label = f"{metric['label']} {arrow(metric['better'])}"
            before = blind["metrics"].get(name, {}).get("batch_mean")
            interval = " to ".join(_number(bound) for bound in metric["interval"] or ())
            counted, images = metric.get("counted", 0), found.get("images", 0)
            some = f" (of {counted} of {images} images)" if 0 < counted < images else ""
            rows.append([label, _number(before), _number(metric["batch_mean"]) + some, interval])
    return rows


def _groups(path: Path | None, method: str) -> str:
    if path is None or not Path(path).is_file():
        return ""
    try:
        table = pd.read_csv(path)
        table = table[(table["method"] == method) & table["issue"].isin(LIMITS)]
        names = [name for name in SHOWN if name in set(table["metric"])]
        wide = table[table["metric"].isin(names)]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} is no table of groups ({error}): make it again with the report") from error
    if wide.empty:
        return ""
    rows = [f"| | group | labels | n | {' | '.join(names)} |", "|---|---|---|---:|" + "---:|" * len(names)]
    for (issue, kind, group, source), part in wide.groupby(["issue", "kind", "group", "source"], sort=False):
        rows.append(_group_row(ISSUES[str(issue)].lower(), f"{kind}: {group}", str(source), part, names))
    return "\n".join(rows)


def _group_row(issue: str, group: str, source: str, part: pd.DataFrame, names: Sequence[str]) -> str:
    means = part.drop_duplicates("metric").set_index("metric")["mean"]
    small = "*" if part["small"].astype(str).str.lower().eq("true").any() else ""
    values = " | ".join(_number(means.get(name)) for name in names)
    return f"| {issue} | {group}{small} | {source} | {int(part['n'].max())} | {values} |"


def _number(value: Any) -> str:
    if value is None or value != value:
        return "–"
    return f"{value:.2f}" if abs(value) >= 5 else f"{value:.3f}"
