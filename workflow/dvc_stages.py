"""Write dvc.yaml from the graph, so that the two cannot disagree: `python workflow/dvc_stages.py` (`make dvc`).

A DVC stage is a group of Snakemake jobs: its command calls Snakemake for exactly those rules, its outputs are all
their files, its dependencies all that they read from elsewhere (files of other stages, source modules, the file of the
rules), its parameters the slices that reach them. `--check` writes nothing and says whether the file is up to date.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
TARGET = "reports/metrics.md"
EVALUATE = "evaluate"
STAGES = {
    "photographs": ("fetch_photographs", "make_targets"),
    "weights": ("fetch_weights",),
    "split": ("split",),
    "landmarks": ("detect_landmarks",),
    "pairs": ("degrade",),
    "check": ("check_data",),
    "train": ("train",),
    "attributes": ("fetch_attributes",),
    "report": ("restore_steps", "restore_spread", "measure_memorisation", "measure_subgroups", "write_report"),
}
"""Which rules make up a stage; every other rule belongs to `evaluate`."""
DESCRIPTIONS = {
    "photographs": "One verified archive of photographs, and the targets decoded from it",
    "weights": "The weight files that the parameters ask for, checked by hash",
    "split": "Which photographs train, validate and test",
    "landmarks": "68 facial landmarks of each photograph",
    "pairs": "Blind images by equation (1)",
    "check": "The gate: nothing trains on data that did not pass",
    "train": "Trained models, one for each recipe",
    "attributes": "Labels of the photographs, for metrics by group",
    EVALUATE: "Restored test part and its metrics",
    "report": "Metrics by group, tables, figures and the page",
}
SPLIT_BY_OBJECTIVE = ("pairs", "check", "train", EVALUATE)
"""Stages of which there is one per objective, and one for what both objectives are needed for."""
FOLDERS = ("fetch_weights",)
"""Rules whose files lie beside their output: DVC keeps the folder."""
IN_GIT = {
    "reports/metrics.json": "metrics",
    "reports/metrics.md": "outs",
    "reports/subgroups.csv": "outs",
    "reports/subgroups.json": "outs",
}
"""Small results: kept by git, not by DVC's cache; and the list they stand in. So are the tables under reports/plots."""
FRONT = """\
# Written by workflow/dvc_stages.py (`make dvc`) from the graph of the rules; tests hold the two together.
# Each stage is one Snakemake call for exactly its rules. In .snakemake/metadata lie Snakemake's own records of
# the files above (the name is the path in base64). File and record stay together, so that after `dvc pull` or
# `dvc checkout` Snakemake knows from which parameters, sources and inputs a file was made.
"""
CURVES = {
    "psnr": ("Validation PSNR", "dB"),
    "pixel": ("Pixel loss", "mean absolute error"),
    "critic_gap": ("Gap of the critic", "score of real minus score of restored images"),
}


@dataclass(frozen=True)
class Made:
    """What one Snakemake job reads and writes; paths relative to the root of the project."""

    rule: str
    rule_file: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: dict[str, dict[str, Any]]
    objectives: frozenset[str]

    @property
    def stage(self) -> str:
        """The DVC stage that makes these files."""
        name = next((name for name, rules in STAGES.items() if self.rule in rules), EVALUATE)
        if name not in SPLIT_BY_OBJECTIVE:
            return name
        return f"{name}-{next(iter(self.objectives)) if len(self.objectives) == 1 else 'both'}"


def read_graph(root: Path) -> tuple[list[Made], dict[str, Any]]:
    """The jobs of the full experiment and its parameters, asked of Snakemake in an empty folder."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

    here = Path.cwd()
    try:
        with TemporaryDirectory() as folder, SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
            asked = api.workflow(ResourceSettings(cores=1), snakefile=root / "Snakefile", workdir=Path(folder))
            with redirect_stdout(StringIO()):
                asked.dag(DAGSettings(targets={TARGET})).summary()
            workflow = asked._workflow
            experiment = workflow.globals["EXPERIMENT"]
            return _describe(workflow.dag, root, experiment.code_files), experiment.values
    finally:
        os.chdir(here)


def _describe(dag: Any, root: Path, code_files: Mapping[str, tuple[Path, ...]]) -> list[Made]:
    @cache
    def objectives(job: Any) -> frozenset[str]:
        """The objectives whose pairs or models a job builds on."""
        own = job.wildcards_dict.get("objective")
        return frozenset({own} - {None}).union(*(objectives(needed) for needed in dag.dependencies[job]))

    def code(job: Any) -> tuple[str, ...]:
        return tuple(path.relative_to(root).as_posix() for path in code_files[job.params.code])

    def outside(job: Any) -> tuple[str, ...]:
        # What another program restored is no file of the graph.
        return (str(job.params.folder),) if job.rule.name == "import_external" else ()

    return [
        Made(
            rule=job.rule.name,
            rule_file=os.path.relpath(job.rule.snakefile, root),
            inputs=tuple(str(path) for path in job.input) + code(job) + outside(job),
            outputs=tuple(str(path) for path in job.output),
            parameters=json.loads(job.params.get("slice", "{}")),
            objectives=objectives(job),
        )
        for job in dag.jobs
    ]


def stages_of(jobs: Iterable[Made], values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The stages of dvc.yaml, in the order of the data."""
    jobs = sorted(jobs, key=lambda made: made.outputs)
    order = [*STAGES]
    order.insert(order.index("report"), EVALUATE)
    names = sorted({made.stage for made in jobs}, key=lambda name: (order.index(name.partition("-")[0]), name))
    whole = {_kept(made, path) for made in jobs if made.rule in FOLDERS for path in made.outputs}
    return {name: _stage(name, [made for made in jobs if made.stage == name], values, whole) for name in names}


def _stage(name: str, jobs: list[Made], values: Mapping[str, Any], folders: set[str]) -> dict[str, Any]:
    kind, _, objective = name.partition("-")
    made = [path for job in jobs for path in job.outputs]
    read = {path for job in jobs for path in job.inputs} - set(made)
    read = {str(Path(path).parent) if str(Path(path).parent) in folders else path for path in read}
    inside = {path for job in jobs for path in job.inputs}
    targets = [job.outputs[0] for job in jobs if not inside.intersection(job.outputs)]
    about = {"": "", "both": ", what needs both objectives"}.get(objective, f", {objective}")
    stage: dict[str, Any] = {
        "desc": DESCRIPTIONS[kind] + about,
        "cmd": f"snakemake --allowed-rules {' '.join(sorted({job.rule for job in jobs}))} -- {' '.join(targets)}",
        "deps": sorted(read | {job.rule_file for job in jobs}),
        "params": parameter_names([job.parameters for job in jobs], values),
    }
    lists: dict[str, list[Any]] = {"outs": [], "metrics": []}
    for path in sorted({_kept(job, path) for job in jobs for path in job.outputs}):
        where = IN_GIT.get(path) or ("outs" if path.startswith("reports/plots/") else None)
        lists[where or "outs"].append({path: {"cache": False}} if where else path)
    lists["outs"] += [record_of(path) for path in made]
    return stage | {key: paths for key, paths in lists.items() if paths}


def _kept(made: Made, path: str) -> str:
    return str(Path(path).parent) if made.rule in FOLDERS else path


def record_of(path: str) -> str:
    """Where Snakemake records how a file was made."""
    return f".snakemake/metadata/{urlsafe_b64encode(path.encode()).decode()}"


def parameter_names(slices: Iterable[Mapping[str, Any]], values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The parameters in any slice: a block's name where the whole block is there, else `block.key`, at any depth."""
    slices = list(slices)
    names: list[str] = []
    for key, value in values.items():
        found = [part[key] for part in slices if key in part]
        if isinstance(value, Mapping) and found:
            below = parameter_names(found, value, f"{prefix}{key}.")
            whole = [f"{prefix}{key}.{name}" for name in value]
            names += [f"{prefix}{key}"] if below == whole else below
        elif found:
            names.append(f"{prefix}{key}")
    return names


def plots() -> list[dict[str, Any]]:
    """What `dvc plots` shows: curves of the paper's models by step of the generator, and the metrics as bars."""
    curves = [
        {
            f"{title}, {model}": {
                "template": "steps",
                "x": "epoch",
                "y": {f"reports/plots/convergence_{model}.csv": column},
                "x_label": "epoch",
                "y_label": label,
            }
        }
        for column, (title, label) in CURVES.items()
        for model in ("progressive1", "progressive2")
    ]
    bars = {
        "template": "methods",
        "x": {"reports/plots/metrics.csv": "batch_mean"},
        "y": {"reports/plots/metrics.csv": "method"},
        "x_label": "mean over test batches",
        "y_label": "",
    }
    return [*curves, {"Metrics of each method": bars}]


def text_of(root: Path) -> str:
    """The content of dvc.yaml."""
    content = {"stages": stages_of(*read_graph(root)), "plots": plots()}
    return FRONT + yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)


def main(words: list[str]) -> int:
    """Write dvc.yaml, or with `--check` only compare."""
    path, text = ROOT / "dvc.yaml", text_of(ROOT)
    if words == ["--check"]:
        if path.read_text() != text:
            print("dvc.yaml does not fit the graph of the rules: run 'make dvc' and commit it", file=sys.stderr)
            return 1
        return 0
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
