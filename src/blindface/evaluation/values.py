"""Values per image, read for a comparison: tables of `blindface evaluate`, or a published `per_image.csv`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from blindface.base.errors import InputError
from blindface.base.image_table import read_metadata, read_table
from blindface.evaluation.catalogue import descriptions
from blindface.params import EvaluateParams

LANDMARKS = "landmark_distance"
"""The one metric whose name does not say by which network it was measured."""


@dataclass(frozen=True)
class ImageValues:
    """One method's values. `frame`: the column id and a column per metric; `better`: which way each metric improves.

    published: they were read from a CSV of many methods; parameters: those they were measured by, where recorded.
    """

    method: str
    path: Path
    frame: pd.DataFrame
    better: Mapping[str, str]
    objective: str | None = None
    published: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The method's name; of published values with the file, so that it is not taken for one's own method."""
        return f"{self.method} of {self.path}" if self.published else self.method

    @property
    def metrics(self) -> list[str]:
        """The metrics that it has values of, in the order of the file."""
        return [name for name in self.frame.columns if name in self.better]

    def measures_alike(self, other: ImageValues, metric: str) -> bool:
        """Whether both have the metric, by the same network as far as that is recorded."""
        if metric not in self.metrics or metric not in other.metrics:
            return False
        networks = {(each.parameters.get("landmarks") or {}).get("backend") for each in (self, other)} - {None}
        return metric != LANDMARKS or len(networks) < 2


def read_values(path: Path, objectives: Mapping[str, str]) -> Iterator[ImageValues]:
    """The methods of one file; objectives: whose blind images methods saw that do not record it.

    Errors: InputError for a file of another kind, or one that records another objective than the given one.
    """
    if Path(path).suffix.lower() == ".csv":
        yield from _read_csv(Path(path), objectives)
        return
    metadata = read_metadata(path)
    name = metadata.get("method")
    if name is None:
        raise InputError(f"{path} names no method: make it with 'blindface evaluate'")
    recorded, given = metadata.get("objective"), objectives.get(name)
    if recorded and given and recorded != given:
        raise InputError(
            f"{path} says that {name} restored the images of {recorded}, not of {given}: correct the option"
        )
    better = json.loads(metadata["better"]) if "better" in metadata else known_directions()
    parameters = json.loads(metadata.get("parameters", "{}"))
    yield ImageValues(name, Path(path), read_table(path), better, recorded or given, parameters=parameters)


def _read_csv(path: Path, objectives: Mapping[str, str]) -> Iterator[ImageValues]:
    try:
        # An id such as 00012 or NA is a name; Excel begins its files with a mark.
        table = pd.read_csv(path, encoding="utf-8-sig", dtype={"id": str, "method": str}, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: give a per_image.csv of 'blindface report'") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path} is no table of values per image ({error}): give a per_image.csv") from error
    if not {"id", "method"} <= set(table.columns):
        raise InputError(f"{path} has no columns id and method: give a per_image.csv of 'blindface report'")
    numbers = [name for name in table.columns if name not in ("id", "method")]
    table[numbers] = table[numbers].apply(pd.to_numeric, errors="coerce")
    for name, rows in table.groupby("method", sort=False):
        frame = rows.drop(columns="method").dropna(axis="columns", how="all").reset_index(drop=True)
        yield ImageValues(str(name), path, frame, known_directions(), objectives.get(str(name)), published=True)


def known_directions() -> dict[str, str]:
    """Which way every metric per image of ours improves, whatever its backbone."""
    trunks = get_args(EvaluateParams.model_fields["lpips"].annotation)
    asked = [EvaluateParams(lpips=trunk) for trunk in trunks]
    return {each.name: each.better for params in asked for each in descriptions(params) if each.per_image}
