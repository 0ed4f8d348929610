"""The stage `blindface subgroups`: from scores per image to the tables by group."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from blindface.base.errors import InputError
from blindface.base.files import write_json, write_text
from blindface.base.image_table import read_metadata, read_table
from blindface.landmarks.table import read_landmarks
from blindface.metrics.high_frequency import CUTOFF
from blindface.params import SubgroupsParams
from blindface.subgroups.groups import Grouping, by_labels, by_landmarks, by_strength, everything
from blindface.subgroups.kinds import DETAIL, ISSUES, SOURCES, Kind, lacking
from blindface.subgroups.table import Methods, tidy_table

PREDICTIONS = (
    "Labels of people are predictions of classifiers from photographs, not facts about persons; groups are named as "
    "the file names them."
)
LABEL_NOTES = {
    "official": PREDICTIONS,
    "predicted": PREDICTIONS,
    "drawn": "The faces are rendered and belong to nobody: their labels are what each was drawn from, and exact.",
    "none": "No labels were at hand, so nothing is said by groups of people.",
}
"""What kind of knowledge the labels are, by their source."""
NOTES = (
    "Groups also differ in light, pose, sharpness and photographs per person: a difference between them does not say "
    "what causes it. The change from each image's own blind input is freer of this.",
    "Intervals are 95 % percentile bootstraps over the people of a group, each with all photographs. They are not "
    "corrected for multiple comparisons: among so many, some differ by chance.",
)
EQUATION = (
    f"ratio = Σ|F(w·(Y − mean Y))(f)|² over |f| > {CUTOFF:g} cycles per pixel of the restored image, over the same sum "
    "of the target; Y is the luma, w a Hann window, F the Fourier transform. detail_octaves is its log2, at least −10; "
    "detail_below_half and detail_above_double are the shares of images with a ratio below 1/2 and above 2."
)


def measure_subgroups(
    methods: Methods,
    landmarks: Path | None,
    attributes: Path | None,
    pairs: Mapping[str, Path],
    params: SubgroupsParams,
    bootstrap: int,
    seed: int,
    table: Path,
    notes: Path,
) -> pd.DataFrame:
    """Write the tidy table as CSV, and what its kinds and sources are as JSON; returns the table.

    `pairs`: test pairs by objective, for the drawn strengths. Errors: InputError for a file that does not fit.
    """
    ids = sorted({str(name) for frame in methods.scores.values() for name in frame["id"]})
    if not ids:
        raise InputError("no scores per image were given: evaluate a method first")
    groupings, without, labels = _people(ids, landmarks, attributes, params)
    for objective, path in sorted(pairs.items()):
        groupings += by_strength(objective, read_table(path), params.bins)
    groupings = [everything(ids), *groupings, Grouping(DETAIL, everything(ids).labels, ("all images",))]
    order = {issue: place for place, issue in enumerate(("all", *ISSUES))}
    groupings.sort(key=lambda grouping: order[grouping.kind.issue])
    found = tidy_table(methods, groupings, bootstrap, seed, params.small)
    write_text(table, found.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    content = {
        "attributes": labels,
        "small": params.small,
        "bootstrap": bootstrap,
        "images": len(ids),
        "notes": [LABEL_NOTES[labels["source"]], *NOTES],
        "equation": EQUATION,
        "kinds": sorted(
            [_described(grouping, ids) for grouping in groupings] + [_entry(kind) for kind in without],
            key=lambda kind: order[kind["issue"]],
        ),
    }
    write_json(notes, content)
    return found


def read_attributes(path: Path) -> tuple[str, str, pd.DataFrame]:
    """Source, reason and labels by id. Errors: InputError if the file is missing or is no table of labels."""
    metadata, frame = read_metadata(path), read_table(path)
    if metadata.get("source") not in SOURCES or "id" not in frame:
        raise InputError(f"{path} is no table of labels: make it again with 'blindface attributes'")
    return metadata["source"], metadata.get("reason", ""), frame.set_index("id")


def _people(
    ids: list[str], landmarks: Path | None, attributes: Path | None, params: SubgroupsParams
) -> tuple[list[Grouping], list[Kind], dict[str, str]]:
    source, reason, labels = "none", "no file of labels was given", pd.DataFrame(index=pd.Index([], name="id"))
    if attributes is not None:
        source, reason, labels = read_attributes(attributes)
    groupings: list[Grouping] = []
    if landmarks is not None:
        _, found = read_landmarks(landmarks, ids)
        settings = json.loads(read_metadata(landmarks).get("settings", "{}"))
        groupings += by_landmarks(ids, found, settings, params, labels if source == "drawn" else None)
    groupings += by_labels(ids, source, labels)
    named = {"source": source, "name": SOURCES[source], "reason": reason}
    return groupings, lacking(source, reason), named


def _described(grouping: Grouping, ids: list[str]) -> dict[str, Any]:
    missing = int(grouping.labels.reindex(ids).isna().sum())
    return _entry(grouping.kind) | {
        "objective": grouping.objective,
        "groups": list(grouping.order),
        "unlabelled": missing,
    }


def _entry(kind: Kind) -> dict[str, Any]:
    content = {"issue": kind.issue, "kind": kind.name, "title": kind.title, "source": kind.source, "rule": kind.rule}
    return content | {"unavailable": kind.unavailable, "objective": None, "groups": [], "unlabelled": 0}
