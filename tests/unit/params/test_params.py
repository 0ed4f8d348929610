"""Parameters: closed, bounded, and said once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blindface.base.errors import ParameterError
from blindface.params import OBJECTIVES, Params, describe, json_schema, load_params, validate
from blindface.params.progressive import LOSSES

ROOT = Path(__file__).parents[3]


def test_params_yaml_is_the_default_experiment():
    assert load_params([ROOT / "params.yaml"]) == Params()


def test_params_yaml_names_every_key_but_losses_that_the_paper_does_not_have():
    import yaml

    assert yaml.safe_load((ROOT / "params.yaml").read_text()).keys() == Params.model_fields.keys()
    values = json.loads(Params().model_dump_json())
    for objective in OBJECTIVES:
        block = values["train"]["progressive"][objective]
        for name in LOSSES:
            if not any(block[name]["final"]):
                del block[name]
    assert values == yaml.safe_load((ROOT / "params.yaml").read_text())


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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("split: {seed: !!binary aGVsbG8=}", "parameter 'split.seed' is b'hello', a value of bytes: write a number"),
        ("split: {seed: 2024-01-01}", "a value of date"),
        ("split: {1: 2}", "the key 1 in parameter 'split' is no text"),
        ("split: &a {seed: *a}", "blocks within blocks of that depth"),
        ("fetch: {source: folder, folder: ~nosuchuser/faces}", "there is no home folder of ~nosuchuser"),
        ("fetch: {folder: $NOSUCHVARIABLE/faces}", "the variable NOSUCHVARIABLE is not set"),
        ("split: {seed: 99999999999999999999}", "a number of 67 bits"),
        ("fetch: {source: folder}", "parameters of 'fetch': source 'folder' needs fetch.folder"),
        ("train: {progressive: {betas: {a: 1}}}", "'train.progressive.betas' is a block of 1 keys"),
        ("restore: {external: [{name: a}]}", "'restore.external.0.objective' is missing: give it"),
    ],
)
def test_what_yaml_can_say_and_parameters_cannot_is_one_sentence_without_the_whole_block(tmp_path, text, sentence):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ParameterError) as caught:
        load_params([tmp_path / "own.yaml"])
    assert sentence in str(caught.value)
    assert str(caught.value).count("\n") == 0
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_of_another_encoding_is_read(tmp_path, encoding):
    (tmp_path / "own.yaml").write_bytes("report: {title: 'Gesichter, größer \U0001f600'}".encode(encoding))
    assert load_params([tmp_path / "own.yaml"]).report.title == "Gesichter, größer \U0001f600"


def test_a_file_of_no_encoding_is_one_sentence(tmp_path):
    (tmp_path / "own.yaml").write_bytes(b"report: {title: '\xff\xe9'}")
    with pytest.raises(ParameterError, match=r"own\.yaml is not valid YAML or JSON"):
        load_params([tmp_path / "own.yaml"])


def test_paths_have_their_home_and_variables_filled_in_and_texts_have_not(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/ada")
    values = {"fetch": {"folder": "${HOME}/faces"}, "report": {"title": "$HOME ~ {draft}"}}
    external = [{"name": "a", "objective": "objective2", "folder": "~/theirs"}]
    given = validate(values | {"restore": {"external": external}})
    assert given.fetch.folder == "/home/ada/faces"
    assert given.restore.external[0].folder == "/home/ada/theirs"
    assert given.report.title == "$HOME ~ {draft}"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "$RECYCLE").mkdir()
    assert validate({"fetch": {"folder": "$RECYCLE"}}).fetch.folder == "$RECYCLE"


def test_many_problems_are_one_short_sentence_that_says_how_many_there_are():
    values = {"train": dict.fromkeys((f"no_such_parameter_of_training_{number}" for number in range(50)), "x" * 500)}
    with pytest.raises(ParameterError) as caught:
        validate(values, "a/long/path/of/an/overlay" * 20)
    assert len(str(caught.value)) <= 300
    assert "and 49 more" in str(caught.value)


def test_broken_parameter_files_end_in_no_traceback_and_no_long_sentence():
    from benchmarks.mutated_parameters import try_all

    counts, faults, _ = try_all(150, seed=1)
    assert not faults
    assert counts["read"] > 10
    assert counts["refused"] > 50


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
