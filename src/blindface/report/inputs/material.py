"""Everything the report is made from, read leniently: what is missing becomes a sentence, not a failure.

A file that is there and broken is still an error (InputError): it would make the report wrong, not incomplete.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from blindface.base import image_table
from blindface.base.errors import InputError
from blindface.base.files import read_json, sha256_file
from blindface.base.images import Image
from blindface.params import OBJECTIVES, PARTS, Objective, Params
from blindface.params.progressive import STEP_SIZES
from blindface.photographs.archive import is_harmless, read_skipped
from blindface.report.inputs.names import TITLES
from blindface.report.inputs.scores import Scores, read_scores
from blindface.restoration.methods import Method, chosen_methods, in_order, lead_of, method_of
from blindface.split import read_split
from blindface.tracking import TrackedRun, read_note


@dataclass(frozen=True)
class Sources:
    """The report's input files by what they are; any of them may be absent. `pairs` are those of the test part.

    By objective: `pairs`; by method: `restored`; by model: `models` (folders), `steps`, `spread`.
    `benchmarks` is the folder where Snakemake keeps how long each job took.
    """

    params: Params
    targets: Path | None = None
    split: Path | None = None
    pairs: Mapping[str, Path] = field(default_factory=dict)
    scores: Sequence[Path] = ()
    images: Sequence[Path] = ()
    restored: Mapping[str, Path] = field(default_factory=dict)
    steps: Mapping[str, Path] = field(default_factory=dict)
    spread: Mapping[str, Path] = field(default_factory=dict)
    models: Mapping[str, Path] = field(default_factory=dict)
    checked: Sequence[Path] = ()
    skipped: Path | None = None
    weights: Sequence[Path] = ()
    benchmarks: Path | None = None
    memorisation: Path | None = None
    subgroups: Path | None = None
    groups: Path | None = None


@dataclass
class Material:
    """What was read, by method (`scores`, `per_image`), objective (`draws`) or model (`history`, `runs`, `tracked`)."""

    sources: Sources
    scores: dict[str, Scores] = field(default_factory=dict)
    per_image: dict[str, pd.DataFrame] = field(default_factory=dict)
    draws: dict[str, pd.DataFrame] = field(default_factory=dict)
    history: dict[str, pd.DataFrame] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    tracked: dict[str, TrackedRun] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    photographs: int | None = None
    people: int | None = None
    skipped: pd.DataFrame | None = None
    weights: dict[str, dict[str, Any]] = field(default_factory=dict)
    checked: dict[str, Any] = field(default_factory=dict)
    memorisation: dict[str, Any] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)

    @property
    def params(self) -> Params:
        """The experiment's parameters."""
        return self.sources.params

    @property
    def title(self) -> str:
        """The page's title: the given one, else by the source of the photographs."""
        return self.params.report.title or f"Blind face restoration on {TITLES[self.params.fetch.source]}"

    @property
    def of_people(self) -> str:
        """` of 5 people` after a number of photographs; nothing where no person has several, or nobody is named.

        A folder's own folders stand for people where the split needs them, but nothing says that they are.
        """
        named = self.params.fetch.source != "folder" and 0 < (self.people or 0) < (self.photographs or 0)
        return f" of {self.people:,} people" if named else ""

    @property
    def external(self) -> dict[str, Objective]:
        """Whose inputs each external method saw."""
        recorded = {name: scores.objective for name, scores in self.scores.items() if scores.objective}
        return recorded | {method.name: method.objective for method in self.params.restore.external}

    @property
    def expected(self) -> list[str]:
        """The rows that are missed where they are not scored; the optional ones are rows where they are."""
        return list(chosen_methods((), getattr(self.params.train, "recipes", ("progressive",))))

    @property
    def methods(self) -> list[Method]:
        """The rows of the table: those that are expected, and all others that are scored."""
        return self.rows([*self.expected, *self.scores])

    def rows(self, names: Iterable[str]) -> list[Method]:
        """These methods in the order of the table."""
        return in_order(names, self.external)

    def lead(self, objective: Objective) -> Method | None:
        """The row that stands for an objective: among the scored ones, else among the expected."""
        return lead_of(objective, self.scores) or lead_of(objective, self.expected)

    @property
    def models(self) -> list[str]:
        """The models behind the expected rows, and all others that were given."""
        expected = [model for name in self.expected for model in method_of(name).models]
        return list(dict.fromkeys([*expected, *self.sources.models]))

    def chosen(self, method: str) -> str:
        """Which number of a method was chosen on the validation part, in words; empty if none was."""
        path = self.sources.restored.get(method)
        found = image_table.read_metadata(path).get("chosen") if path is not None and path.exists() else None
        if found is None:
            return ""
        chosen = json.loads(found)
        return (
            f"{chosen['what']}: {chosen['value']:g}, by {chosen['criterion']} on {chosen['images']} validation images"
        )

    def pictures(self, kind: str, name: str, ids: Sequence[str]) -> Image | None:
        """Images (N, H, W, 3) uint8 of the ids: kind 'target', 'blind' (by objective) or 'restored' (by method).

        None if the file was not given or lacks one of them.
        """
        column = {"target": "target", "blind": "blind", "restored": "image"}[kind]
        return self._read(self._file(kind, name), column, ids)

    def steps(self, model: str, ids: Sequence[str]) -> list[Image] | None:
        """Outputs of steps 1, 2, 3 at 32, 64, 128 px, or None."""
        path = self.sources.steps.get(model)
        stacks = [self._read(path, column, ids) for column in (f"step{step}" for step in STEP_SIZES)]
        return None if any(stack is None for stack in stacks) else [stack for stack in stacks if stack is not None]

    def spread(self, model: str, count: int) -> tuple[list[str], Image, Image] | None:
        """Ids of the first images, the mean of a flow's samples and their spread in levels, or None."""
        path = self.sources.spread.get(model)
        ids = list(image_table.read_table(path)["id"])[:count] if path is not None and path.exists() else []
        mean, spread = (self._read(path, column, ids) for column in ("mean", "spread"))
        return None if mean is None or spread is None else (ids, mean, spread)

    def step_ids(self, model: str) -> list[str]:
        """Ids whose progressive outputs are kept."""
        path = self.sources.steps.get(model)
        return list(image_table.read_table(path)["id"]) if path is not None and path.exists() else []

    def test_ids(self) -> list[str]:
        """Ids of the test part: of the pairs, else of the per-image scores."""
        for frame in (*self.draws.values(), *self.per_image.values()):
            return sorted(frame["id"])
        return []

    def _file(self, kind: str, name: str) -> Path | None:
        if kind == "target":
            return self.sources.targets
        return (self.sources.pairs if kind == "blind" else self.sources.restored).get(name)

    def _read(self, path: Path | None, column: str, ids: Sequence[str]) -> Image | None:
        if path is None or not path.exists() or not ids:
            return None
        try:
            return image_table.read_images(path, column, ids)
        except InputError as error:
            self.lack(f"Pictures are left out: {error}.")
            return None

    def lack(self, sentence: str) -> None:
        """Note once that something is missing."""
        if sentence not in self.lacks:
            self.lacks.append(sentence)


def gather(sources: Sources, photographs: bool = True) -> Material:
    """Read all sources; without `photographs`, missing pictures are not worth a word.

    Errors: InputError for a file that is there but broken.
    """
    material = Material(sources)
    _read_scores(material)
    for path in sources.images:
        if path.exists():
            material.per_image[path.stem] = _unique(image_table.read_table(path), path)
        else:
            material.lack(f"{path} is missing: nothing is shown by image for '{path.stem}'.")
    _note_missing_values(material)
    for objective in OBJECTIVES:
        _read_pairs(material, objective)
    for model in material.models:
        _read_model(material, model)
    _read_data(material)
    if not (sources.subgroups and sources.subgroups.exists() and sources.groups and sources.groups.exists()):
        material.lack("No metrics by group of images: run blindface subgroups for the paper's critical issues.")
    if photographs:
        _note_missing_pictures(material)
    return material


def _read_scores(material: Material) -> None:
    for path in material.sources.scores:
        if path.exists():
            scores = read_scores(path)
            material.scores[scores.method] = scores
        else:
            material.lack(f"{path} is missing: the row '{path.stem}' has no numbers.")
    absent = [method_of(name).label for name in material.expected if name not in material.scores]
    if absent:
        material.lack(f"No scores of {', '.join(absent)}.")


def _note_missing_values(material: Material) -> None:
    named = {path.stem for path in material.sources.images}
    absent = [method.label for method in material.rows(material.scores) if method.name not in named]
    if absent:
        material.lack(
            f"No values per image of {', '.join(absent)}: paired differences, strengths and per_image.csv lack them."
        )


def _read_pairs(material: Material, objective: Objective) -> None:
    pairs = material.sources.pairs.get(objective)
    if pairs is not None and pairs.exists():
        material.draws[objective] = _unique(image_table.read_table(pairs), pairs)
    else:
        material.lack(f"No test pairs of {objective}: its degradations and blind images are not shown.")


def _read_model(material: Material, model: str) -> None:
    folder = material.sources.models.get(model)
    history = folder / "history.csv" if folder is not None else None
    if history is not None and history.exists():
        material.history[model] = read_history(history)
    else:
        material.lack(f"No training history of {model}: its convergence is not shown.")
    run = folder / "run.json" if folder is not None else None
    if run is not None and run.exists():
        content = read_json(run)
        material.runs[model] = content if isinstance(content, dict) else {}
        note = read_note(run.parent)
        if note is not None:
            material.tracked[model] = note
    else:
        material.lack(f"No training record of {model}: its device, duration and hashes are not shown.")


def read_history(path: Path) -> pd.DataFrame:
    """A history with columns epoch, step and numbers. Errors: InputError if it has not."""
    try:
        frame = pd.read_csv(path)
        missing = {"epoch", "step"} - set(frame.columns)
        if missing:
            raise ValueError(f"no column {sorted(missing)[0]}")
        return frame.sort_values(["epoch", "step"], kind="stable").reset_index(drop=True)
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path} is not a training history ({error}): train again") from error


def _unique(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    if "id" not in frame or frame["id"].duplicated().any():
        raise InputError(f"{path} has no column of unique ids: make it again")
    return frame


def _read_data(material: Material) -> None:
    sources = material.sources
    if sources.targets is not None and sources.targets.exists():
        targets = image_table.read_table(sources.targets)
        material.photographs = len(targets)
        material.people = int(targets["person"].nunique()) if "person" in targets else None
    else:
        material.lack("No targets: the originals are not shown.")
    if sources.split is not None and sources.split.exists():
        counts = Counter(read_split(sources.split).values())
        material.parts = {part: counts[part] for part in PARTS}
    else:
        material.lack("No split: how many images trained and tested the models is not said.")
    if sources.skipped is not None and sources.skipped.exists():
        failed = [row for row in read_skipped(sources.skipped) if not is_harmless(row[1])]
        material.skipped = pd.DataFrame(failed, columns=["id", "reason"])
    else:
        material.lack("No list of skipped photographs.")
    if sources.memorisation is not None and sources.memorisation.exists():
        material.memorisation = read_json(sources.memorisation)
    else:
        material.lack("No memorisation: whether models give back training faces is not said.")
    for path in filter(Path.exists, sources.checked):
        _add_counts(material.checked, read_json(path))
    for path in filter(Path.exists, sources.weights):
        material.weights |= read_json(path).get("files", {})
    for _, entry in sorted(material.weights.items()):
        if "missing" in entry:
            material.lack(f"External file {str(entry['missing']).rstrip('.')}.")


def _add_counts(known: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Bring the checks of both objectives together: the comparisons add up, all else is the same or its own."""
    compared = known.get("hashes", 0) + more.get("hashes", 0)
    pairs = {**known.get("pairs", {}), **more.get("pairs", {})}
    known |= {**more, "pairs": pairs, "hashes": compared}


def _note_missing_pictures(material: Material) -> None:
    restored = material.sources.restored
    wanted = [method for method in material.rows([*material.expected, *restored]) if method.restores]
    absent = [m.label for m in wanted if m.name not in restored or not restored[m.name].exists()]
    if absent:
        material.lack(f"No restored images of {', '.join(absent)}.")
    steps = material.sources.steps
    stepped = [method_of(name) for name in material.expected if method_of(name).steps]
    gone = [m.label for m in stepped if m.models[0] not in steps or not steps[m.models[0]].exists()]
    if gone:
        material.lack(f"No outputs of the single steps of {', '.join(gone)}.")


def hashes(material: Material) -> dict[str, str]:
    """The SHA-256 of the data behind the report, by a short name, in the order of the data."""
    sources = material.sources
    files: dict[str, Path | None] = {"targets": sources.targets, "split": sources.split}
    files |= {f"test pairs, {name}": sources.pairs[name] for name in sorted(sources.pairs)}
    for name in sorted(sources.models):
        files[f"generator, {name}"] = sources.models[name] / "generator.safetensors"
    files |= {f"restored, {name}": sources.restored[name] for name in sorted(sources.restored)}
    return {name: sha256_file(path) for name, path in files.items() if path is not None and path.exists()}


def numeric(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column as float64, NaN where it holds no number."""
    return np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)
