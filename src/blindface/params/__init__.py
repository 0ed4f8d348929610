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
from blindface.params.base import Block, describe, explain, plain, setting, shorten, show
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
from blindface.params.progressive import ObjectiveParams, PenaltyParams, ProgressiveParams, WeightParams
from blindface.params.recipes import RECIPES, RecipeName, model_name
from blindface.params.results import EvaluateParams, ReportParams, RestoreParams, SubgroupsParams, TrackParams
from blindface.params.training import PerceptualParams, TrainParams

__all__ = [
    "OBJECTIVES",
    "PARTS",
    "RECIPES",
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
    "ProgressiveParams",
    "RecipeName",
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
    "model_name",
    "validate",
]


class Params(Block):
    """All parameters of one experiment."""

    fetch: FetchParams = setting(FetchParams(), "Photographs and weights.")
    split: SplitParams = setting(SplitParams(), "Training, validation and test part.")
    pairs: PairsParams = setting(PairsParams(), "Blind images, equation (1).")
    landmarks: LandmarksParams = setting(LandmarksParams(), "Facial landmarks of the targets.")
    train: TrainParams = setting(TrainParams(), "Training: a model per recipe and objective.")
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
    try:
        values = merge(Params().model_dump(mode="json"), plain(values))
    except ParameterError as error:
        raise ParameterError(f"{shorten(origin, 50)}: {error}") from None
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
    name = "--params" if inline else shorten(text, 80)
    content = _parse(text if inline else _bytes_of(text, name), name)
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise ParameterError(f"{name} must hold blocks such as 'train:' with keys below them, got {show(content)}")
    return content


def _bytes_of(path: str, name: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise ParameterError(f"parameter file {name} is missing: give the path of a YAML file or inline JSON") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is none that a file can have"
        raise ParameterError(f"parameter file {name} cannot be read ({why}): give another") from None


def _parse(text: str | bytes, name: str) -> Any:
    """JSON, or YAML in UTF-8 or UTF-16. Errors: ParameterError if it is neither."""
    try:
        # YAML reads JSON too, but takes the two halves of an escaped emoji for two characters.
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParameterError(f"{name} is not valid YAML or JSON: {shorten(str(error), 150)}") from None
    except (ValueError, TypeError, RecursionError, OverflowError, KeyError, AttributeError) as error:
        why = shorten(str(error), 100) or "it is nested too deep"
        raise ParameterError(f"{name} is not valid YAML or JSON: a value cannot be read, {why}") from None


def json_schema() -> dict[str, Any]:
    """The JSON schema of params.yaml and its overlays, kept as `workflow/schemas/params.schema.json`."""
    return Params.model_json_schema()
