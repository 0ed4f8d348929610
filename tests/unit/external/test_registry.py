"""The registry, the look-up in folders, the manifest of weights and the folder for machines without a network."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from blindface.base.errors import ExternalFileError, InputError
from blindface.base.files import sha256_file
from blindface.external.collect import fill, survey
from blindface.external.finder import Finder
from blindface.external.manifest import write_manifest
from blindface.external.registry import Form, Registry, load_registry
from blindface.external.weights import Weights
from blindface.params import Params, validate

ASKED_FOR = ["vgg19", "vgg19_normalised", "squeezenet1_1", "alexnet", "vgg16", "inception", "niqe", "mobilefacenet"]
ASKED_FOR += ["yunet", "compressed_fan", "pfld", "fan2d4", "s3fd"]
LIGHT = {
    "fetch": {"source": "embedded", "missing": "skip"},
    "landmarks": {"backend": "compressed_fan", "detector": "yunet"},
    "train": {"perceptual": {"backbone": "vgg19_normalised"}},
    "evaluate": {"lpips": "squeeze", "frechet": "mobilefacenet"},
}


def test_registry_holds_every_weight_file_that_stages_ask_for() -> None:
    registry = load_registry()
    assert sorted(ASKED_FOR) == sorted(name for name, file in registry.files.items() if file.weights)


def test_every_condition_names_a_parameter_and_values_it_can_have() -> None:
    for file in load_registry().files.values():
        for condition in file.needed_when:
            for key, wanted in condition.items():
                for value in (wanted,) if isinstance(wanted, str) else wanted:
                    parts = key.split(".")
                    overlay: object = value
                    for part in reversed(parts):
                        overlay = {part: overlay}
                    validate({"fetch": {"folder": "x"}, **overlay})  # type: ignore[dict-item]


def test_addresses_in_git_repositories_name_a_commit() -> None:
    for _, form in load_registry().forms():
        for address in form.addresses:
            if "raw.githubusercontent.com" in address or "cdn.jsdelivr.net" in address or "codeload" in address:
                commits = [part for part in address.replace("@", "/").split("/") if len(part) == 40]
                assert len(commits) == 1, address


def test_needed_weights_are_those_of_the_papers_defaults() -> None:
    wanted = ["fan2d4", "inception", "mobilefacenet", "niqe", "s3fd", "squeezenet1_1", "vgg16", "vgg19"]
    assert load_registry().needed(Params(), weights_only=True) == wanted
    assert "lfw" in load_registry().needed(Params())


def test_needed_weights_follow_the_parameters() -> None:
    registry = load_registry()
    wanted = ["compressed_fan", "mobilefacenet", "niqe", "squeezenet1_1", "vgg19_normalised", "yunet"]
    assert registry.needed(validate(LIGHT), weights_only=True) == wanted
    exact = validate({**LIGHT, "landmarks": {"backend": "exact", "detector": "yunet"}})
    assert "yunet" not in registry.needed(exact)
    plain = validate({**LIGHT, "train": {"perceptual": {"backbone": "none"}}})
    assert "vgg19_normalised" not in registry.needed(plain)
    assert "people_dev_test" in registry.needed(validate({"split": {"by": "official"}}))


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        ("landmarks", ["fan2d4", "s3fd"]),
        ("train", ["squeezenet1_1", "vgg19"]),
        ("evaluate", ["fan2d4", "inception", "mobilefacenet", "niqe", "vgg16"]),
    ],
)
def test_each_stage_has_the_weight_files_that_its_parameters_ask_for(stage: str, names: list[str]) -> None:
    assert load_registry().needed(Params(), weights_only=True, stage=stage) == names


def test_what_is_not_measured_needs_no_weights() -> None:
    params = validate({"evaluate": {"landmarks": "none", "identity": "none"}})
    assert load_registry().needed(params, weights_only=True, stage="evaluate") == ["inception", "niqe", "vgg16"]
    assert "fan2d4" in load_registry().needed(params, weights_only=True, stage="landmarks")


def test_unknown_file_suggests_the_nearest_name() -> None:
    with pytest.raises(ExternalFileError, match="did you mean 'mobilefacenet'"):
        load_registry().get("mobilefacenets")


@pytest.mark.parametrize(
    "changes",
    [{"sha256": None}, {"md5": "0" * 32}, {"urls": []}, {"sha256": "0" * 8}, {"sizes": 3}, {"file": "../a"}],
    ids=["no hash", "two hashes", "no way to get it", "short hash", "unknown key", "leaves the folder"],
)
def test_registry_refuses_an_entry_that_cannot_be_checked(changes: dict[str, object]) -> None:
    entry = {"file": "weights/a", "sha256": "0" * 64, "urls": ["https://example.org/a"]}
    Form.model_validate(entry)
    with pytest.raises(ValidationError):
        Form.model_validate({**entry, **changes})


def registry_of(**contents: bytes) -> Registry:
    """Files whose right bytes are given, known by name only: no address."""
    files = {}
    for name, content in contents.items():
        entry = {"file": f"weights/{name}.bin", "sha256": hashlib.sha256(content).hexdigest(), "note": "made here"}
        files[name] = {"purpose": "test", "licence": "none", "weights": True, "needed_when": [{}], "forms": [entry]}
    return Registry.model_validate({"files": files})


def make_finder(tmp_path: Path, registry: Registry, **mirror: bytes) -> Finder:
    folder = tmp_path / "mirror" / "anywhere"
    folder.mkdir(parents=True)
    for name, content in mirror.items():
        (folder / f"{name}.bin").write_bytes(content)
    return Finder(folder.parent, tmp_path / "cache", registry, network=False)


def test_second_form_is_used_where_the_first_is_not_at_hand(tmp_path: Path) -> None:
    registry = registry_of(a=b"first", b=b"second")
    forms = [registry.files["a"].forms[0], registry.files["b"].forms[0]]
    both = Registry(files={"thing": registry.files["a"].model_copy(update={"forms": tuple(forms)})})
    found = make_finder(tmp_path, both, b=b"second").find("thing")
    assert found.form.basename == "b.bin"


def test_manifest_lists_files_beside_it_and_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finder = make_finder(tmp_path, registry_of(here=b"yes", gone=b"no", rotten=b"right"), here=b"yes", rotten=b"wrong")
    output = tmp_path / "weights" / "manifest.json"
    write_manifest(validate({"fetch": {"missing": "skip"}}), output, finder)
    assert sorted(path.name for path in output.parent.iterdir()) == ["here.bin", "manifest.json"]
    weights = Weights.load(output)
    assert weights.reason("here") is None
    assert weights.path("here").read_bytes() == b"yes"
    assert "put gone.bin (made here) into a folder" in str(weights.reason("gone"))
    assert "is not it" in str(weights.reason("rotten"))
    with pytest.raises(ExternalFileError, match=r"gone .*cannot be had"):
        weights.path("gone")
    lines = capsys.readouterr().err.splitlines()
    assert sum("without gone, rotten" in line for line in lines) == 1
    before = output.read_bytes()
    write_manifest(validate({"fetch": {"missing": "skip"}}), output, finder)
    assert output.read_bytes() == before


def test_missing_weights_stop_the_run_unless_told_otherwise(tmp_path: Path) -> None:
    output = tmp_path / "manifest.json"
    with pytest.raises(ExternalFileError, match="gone"):
        write_manifest(Params(), output, make_finder(tmp_path, registry_of(gone=b"no")))
    assert not output.exists()


def test_weights_that_changed_after_fetching_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "weights" / "manifest.json"
    write_manifest(Params(), output, make_finder(tmp_path, registry_of(here=b"yes"), here=b"yes"))
    (output.parent / "here.bin").write_bytes(b"tampered")
    with pytest.raises(ExternalFileError, match="has changed"):
        Weights.load(output).path("here")


def test_weights_without_a_manifest_are_missing_with_a_reason() -> None:
    assert "blindface weights" in str(Weights.load(None).reason("niqe"))


def test_manifest_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"files": {"a": {"file": "a"}}}))
    with pytest.raises(InputError, match="not a manifest"):
        Weights.load(path)


def test_filled_folder_serves_as_mirror(tmp_path: Path) -> None:
    registry = registry_of(one=b"1", two=b"2", three=b"3")
    finder = make_finder(tmp_path, registry, one=b"1", two=b"2", three=b"bad")
    failures = fill(["one", "two", "three"], tmp_path / "stick", finder)
    assert list(failures) == ["three"]
    other = Finder(tmp_path / "stick", tmp_path / "empty", registry, network=False)
    assert other.find("two").path.read_bytes() == b"2"


def test_survey_tells_here_missing_and_wrong(tmp_path: Path) -> None:
    finder = make_finder(tmp_path, registry_of(one=b"1", two=b"2", three=b"3"), one=b"1", three=b"bad")
    rows = {row.name: row for row in survey(["one", "two", "three"], finder)}
    assert [rows[name].state.state for name in ("one", "two", "three")] == ["here", "missing", "wrong"]
    assert rows["one"].remedy == ""
    assert "BLINDFACE_MIRROR" in rows["two"].remedy


def test_mirror_that_is_no_folder_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLINDFACE_MIRROR", str(tmp_path / "absent"))
    with pytest.raises(ExternalFileError, match="no folder"):
        Finder.from_environment()


def test_repacked_tar_is_that_of_the_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from blindface.external import repack
    from blindface.external.download import Hosts, Transfer
    from blindface.external.registry import Repack

    def archive(level: int) -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=level) as tar:
            for name in ("r-1/a.txt", "r-1/images/B_B/B_B_0001.jpg", "r-1/images/A/A_0001.jpg", "r-1/other/C/c.jpg"):
                member = tarfile.TarInfo(name)
                member.size, member.mtime = 3, level
                tar.addfile(member, io.BytesIO(name[-7:-4].encode()))
        return packed.getvalue()

    hashes = []
    for level in (1, 9):
        content = archive(level)
        chunks = (content[i : i + 7] for i in range(0, 9999, 7))
        monkeypatch.setattr(repack, "begin", lambda *_, chunks=chunks: Transfer(0, None, chunks))
        path = tmp_path / f"{level}.tar"
        repack.write_repacked(Repack(url="https://example.org/a", folder="images", top="lfw"), Hosts(), path)
        hashes.append(sha256_file(path))
        with tarfile.open(path) as tar:
            names = tar.getnames()
    assert names == ["lfw", "lfw/A", "lfw/A/A_0001.jpg", "lfw/B_B", "lfw/B_B/B_B_0001.jpg"]
    assert hashes[0] == hashes[1]


@pytest.mark.mirror
def test_mirror_holds_what_the_light_experiment_needs(mirror: Path, tmp_path: Path) -> None:
    finder = Finder(mirror, tmp_path, network=False)
    rows = survey(load_registry().needed(validate({**LIGHT, "fetch": {"source": "lfw-150"}})), finder)
    assert [(row.name, row.state.state) for row in rows if row.state.state != "here"] == []
