"""The parameters of an experiment: one block per stage, in the order of the data.

`params.yaml` holds the full experiment and must equal the defaults here; overlays in `config/` change single keys.
Commands take `--params` any number of times: a YAML file or inline JSON, both in the structure of params.yaml;
later ones win, what none of them names has its default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from blindface.base.errors import ParameterError
from blindface.params.base import Block, describe, explain, setting
from blindface.params.data import (
    OBJECTIVES,
    PARTS,
    DegradationParams,
    EmbeddedParams,
    FetchParams,
    LandmarksParams,
    Objective,
    PairsParams,
    Part,
    SplitParams,
)
from blindface.params.results import EvaluateParams, ReportParams, RestoreParams, SubgroupsParams, TrackParams
from blindface.params.training import (
    ObjectiveParams,
    PenaltyParams,
    PerceptualParams,
    TrainParams,
    WeightParams,
)

__all__ = [
    "OBJECTIVES",
    "PARTS",
    "Block",
    "DegradationParams",
    "EmbeddedParams",
    "EvaluateParams",
    "FetchParams",
    "LandmarksParams",
    "Objective",
    "ObjectiveParams",
    "PairsParams",
    "Params",
    "Part",
    "PenaltyParams",
    "PerceptualParams",
    "ReportParams",
    "RestoreParams",
    "SplitParams",
    "SubgroupsParams",
    "TrackParams",
    "TrainParams",
    "WeightParams",
    "describe",
    "json_schema",
    "load_params",
    "validate",
]


class Params(Block):
    """All parameters of one experiment."""

    fetch: FetchParams = setting(FetchParams(), "Photographs and weights.")
    split: SplitParams = setting(SplitParams(), "Training, validation and test part.")
    pairs: PairsParams = setting(PairsParams(), "Blind images, equation (1).")
    landmarks: LandmarksParams = setting(LandmarksParams(), "Facial landmarks of the targets.")
    train: TrainParams = setting(TrainParams(), "Progressive training.")
    restore: RestoreParams = setting(RestoreParams(), "Restored test images.")
    evaluate: EvaluateParams = setting(EvaluateParams(), "Metrics.")
    subgroups: SubgroupsParams = setting(SubgroupsParams(), "Metrics by group of images.")
    report: ReportParams = setting(ReportParams(), "Table and page.")
    track: TrackParams = setting(TrackParams(), "MLflow.")


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings: the overlay's values win, mappings are merged key by key, lists are replaced."""
    result = dict(base)
    for key, value in overlay.items():
        below = result.get(key)
        result[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def validate(values: Mapping[str, Any], origin: str = "parameters") -> Params:
    """Check a nested mapping, merged over the defaults.

    Errors: ParameterError, with the nearest known key for a misspelt one.
    """
    # Merged first, so that a partial block of objective 2 keeps objective 2's other defaults.
    values = merge(Params().model_dump(mode="json"), values)
    try:
        # JSON mode takes lists for tuples. Not strict: Snakemake's --config hands numbers over as text.
        return Params.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise explain(error, Params, origin) from None


def load_params(sources: Sequence[str | Path], known: Mapping[str, Any] | None = None) -> Params:
    """Read parameters from YAML files or inline JSON texts, later ones over earlier ones.

    known: what the data record of their own parameters; any source wins over it.

    Errors: ParameterError if a file is missing, is not YAML or JSON, or does not fit the models.
    """
    values: dict[str, Any] = dict(known or {})
    for source in sources:
        values = merge(values, _read_source(source))
    named = [str(source) for source in sources if not str(source).lstrip().startswith("{")]
    return validate(values, " + ".join(named) or "--params")


def _read_source(source: str | Path) -> Mapping[str, Any]:
    text = str(source)
    inline = text.lstrip().startswith("{")
    name = "--params" if inline else text
    try:
        content = yaml.safe_load(text if inline else Path(text).read_text())
    except (FileNotFoundError, IsADirectoryError):
        raise ParameterError(f"parameter file {text} is missing: give the path of a YAML file or inline JSON") from None
    except yaml.YAMLError as error:
        raise ParameterError(f"{name} is not valid YAML or JSON: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise ParameterError(f"{name} must hold blocks such as 'train:' with keys below them, got {content!r}")
    return content


def json_schema() -> dict[str, Any]:
    """The JSON schema of params.yaml and its overlays, kept as `workflow/schemas/params.schema.json`."""
    return Params.model_json_schema()
