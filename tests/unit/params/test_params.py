"""Parameters: closed, bounded, and said once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blindface.base.errors import ParameterError
from blindface.params import Params, describe, json_schema, load_params, validate

ROOT = Path(__file__).parents[3]


def test_params_yaml_is_the_default_experiment():
    assert load_params([ROOT / "params.yaml"]) == Params()


def test_params_yaml_names_every_key():
    import yaml

    assert yaml.safe_load((ROOT / "params.yaml").read_text()).keys() == Params.model_fields.keys()
    assert json.loads(Params().model_dump_json()) == yaml.safe_load((ROOT / "params.yaml").read_text())


def progressive(**block: object) -> dict[str, object]:
    return {"train": {"progressive": block}}


@pytest.mark.parametrize("overlay", sorted(path.name for path in (ROOT / "config").glob("*.yaml")))
def test_every_overlay_fits_the_models(overlay):
    load_params([ROOT / "params.yaml", ROOT / "config" / overlay])


def test_schema_file_is_generated_from_the_models():
    kept = json.loads((ROOT / "workflow/schemas/params.schema.json").read_text())
    assert kept == json.loads(json.dumps(json_schema())), "run `make schema`"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"trian": {}}, "unknown parameter 'trian', did you mean 'train'?"),
        (
            {"train": {"progressive": {"objective1": {"batchsize": 3}}}},
            "'train.progressive.objective1.batchsize', did you mean 'batch_size'?",
        ),
        ({"train": {"zzz": 3}}, "known keys here: recipes, seed"),
        (
            {"train": {"progressive": {"epochs": 0}}},
            "'train.progressive.epochs' is 0: input should be greater than or equal to 1",
        ),
        (
            {"train": {"progressive": {"epochs": "three"}}},
            "'train.progressive.epochs' is 'three': input should be a valid integer",
        ),
        (
            {"train": {"progressive": {"epochs": 3.5}}},
            "'train.progressive.epochs' is 3.5: input should be a valid integer",
        ),
        ({"pairs": {"objective1": {"k": [5, 1]}}}, "range k must be ordered"),
        ({"pairs": {"objective2": {"q": [0, 100]}}}, "range q must be ordered and lie within [1, 100]"),
        ({"fetch": {"source": "folder"}}, "source 'folder' needs fetch.folder"),
        ({"fetch": {"source": "lwf"}}, "input should be 'lfw', 'lfw-150'"),
        (
            {"train": {"progressive": {"objective1": {"pixel": {"final": [1, 2]}}}}},
            "'train.progressive.objective1.pixel.final",
        ),
    ],
)
def test_bad_parameter_is_one_sentence_with_its_name(values, sentence):
    with pytest.raises(ParameterError) as caught:
        validate(values, "params.yaml")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_partial_block_of_objective2_keeps_its_other_defaults():
    params = load_params(['{"train": {"progressive": {"objective2": {"encoder": "residual"}}}}'])
    assert params.train.progressive.objective2.batch_size == 16
    assert params.train.progressive.objective2.encoder == "residual"


def test_later_sources_win(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("train:\n  progressive:\n    epochs: 3\n    objective1: {batch_size: 4}\n")
    params = load_params([ROOT / "params.yaml", overlay, '{"train": {"progressive": {"epochs": 5}}}'])
    assert (params.train.progressive.epochs, params.train.progressive.objective1.batch_size) == (5, 4)


@pytest.mark.parametrize("text", ["{", "{a: [}", '["list"]'])
def test_text_that_is_not_parameters_is_refused(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=r"bad\.yaml"):
        load_params([path])


def test_missing_file_is_named():
    with pytest.raises(ParameterError, match=r"nowhere\.yaml is missing"):
        load_params(["nowhere.yaml"])


def test_parameters_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Params().train.progressive.epochs = 3  # type: ignore[misc]


def test_every_key_has_a_description():
    lines = list(describe(Params()))
    assert any(line.startswith('train.progressive.objective2.encoder = "plain"') for line in lines)
    assert not [line for line in lines if line.endswith("None") or line.endswith("  ")]


def test_numbers_as_text_are_read_as_numbers():
    assert (
        validate({"split": {"validation": "3"}}).split.validation == 3
    )  # as from `snakemake --config "split={validation: 3}"`
    assert validate({"split": {"validation": "3"}}).split.validation == 3
