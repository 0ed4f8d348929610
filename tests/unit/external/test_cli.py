"""The commands `fetch`, `weights`, `photographs` and `targets` as a person calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner, Result

from blindface.base.errors import ExternalFileError
from blindface.cli.app import app
from blindface.external import download
from blindface.external.download import Hosts, Patience

PFLD = '{"landmarks": {"backend": "pfld", "detector": "none"}, "fetch": {"source": "embedded", "missing": "skip"}, '
PFLD += '"train": {"perceptual": {"backbone": "none"}, "validation_lpips": "none"}, "evaluate": {"identity": "none"}}'


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No mirror, an empty cache, and a network where every host is dead."""
    monkeypatch.delenv("BLINDFACE_MIRROR", raising=False)
    monkeypatch.setenv("BLINDFACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Hosts, "_connect", lambda self, url: None)
    monkeypatch.setattr(download, "HOSTS", Hosts(Patience(connect=0.0)))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_check_prints_a_line_per_needed_file_and_fails_if_one_is_missing() -> None:
    result = run("fetch", "--check", "--params", PFLD)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["name", "size", "state", "where", "how", "to", "get", "it"]
    assert [line.split()[0] for line in lines[1:]] == ["inception", "niqe", "pfld", "vgg16"]
    assert all("missing" in line and "blindface fetch (https://" in line for line in lines[1:])


def test_fetch_names_every_file_that_cannot_be_had(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run("fetch", "--params", PFLD, "--to", tmp_path / "stick")
    assert "niqe (NIQE's pristine model" in result.stderr + capfd.readouterr().err
    assert isinstance(result.exception, ExternalFileError)
    assert str(result.exception).startswith("inception, niqe, pfld, vgg16 cannot be had")
    assert not (tmp_path / "stick").exists()


def test_weights_without_a_network_are_recorded_as_missing(tmp_path: Path) -> None:
    result = run("weights", "--params", PFLD, "--output", tmp_path / "manifest.json")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "manifest.json").read_text().count('"missing"') == 4


def test_folder_of_images_becomes_targets(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    Pillow.new("RGB", (90, 100), "teal").save(tmp_path / "faces" / "one.png")
    source = f'{{"fetch": {{"source": "folder", "folder": "{tmp_path}/faces"}}}}'
    archive, output, skipped = tmp_path / "a.tar", tmp_path / "t.parquet", tmp_path / "s.csv"
    assert run("photographs", "--params", source, "--output", archive).exit_code == 0
    assert run("targets", "--archive", archive, "--output", output, "--skipped", skipped).exit_code == 0
    assert output.is_file()
    assert skipped.read_text() == "id,reason\n"
