"""pyproject.toml, environment.yml and the lock of exact versions say the same."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from blindface.cli import app

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "workflow"))

import write_locks  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


LOCKS = ("requirements.lock", "requirements-pyiqa.lock")


def locked() -> dict[str, str]:
    lines = [line for lock in LOCKS for line in (ROOT / lock).read_text().splitlines() if not line.startswith("#")]
    requirements = [Requirement(line) for line in lines]
    assert all(re.fullmatch(r"==[\w.+!]+", str(requirement.specifier)) for requirement in requirements)
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}


def test_every_declared_package_is_locked_within_its_bounds():
    pins = locked()
    product, optional = write_locks.declared()
    for requirement in map(Requirement, product + optional):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin, f"{requirement.name} is not in requirements.lock: run `make lock`"
        assert requirement.specifier.contains(pin), f"{requirement.name} {pin} is outside {requirement.specifier}"


def test_the_conda_environment_takes_python_and_packages_from_the_same_places():
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r requirements.lock", "-e ."]
    assert "python=3.11" in content["dependencies"]
    assert PROJECT["requires-python"] == ">=3.11"


def test_this_environment_is_the_locked_one():
    installed = {canonicalize_name(entry.name): entry.version.partition("+")[0] for entry in metadata.distributions()}
    without_pyiqa = {name: pin for name, pin in locked().items() if name in installed or "pyiqa" in installed}
    assert {name: (pin, installed.get(name)) for name, pin in without_pyiqa.items() if installed.get(name) != pin} == {}


@pytest.mark.skipif(find_spec("pyiqa") is None, reason="pyiqa is not installed, so its packages are not known")
def test_the_locks_hold_what_is_needed_and_nothing_else():
    assert write_locks.texts() == {lock: (ROOT / lock).read_text() for lock in LOCKS}


@pytest.mark.skipif(Path(sys.prefix) != ROOT / ".venv", reason="not the environment that make environment made")
def test_opencv_needs_no_library_of_a_desktop():
    """A slim container has no libGL; Python and make alone must do."""
    program = "import cv2, pathlib; print(pathlib.Path('/proc/self/maps').read_text())"
    maps = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "cv2" in maps
    assert re.findall(r"lib(?:GL|Qt|X11)[\w.-]*", maps) == []


def test_without_libgl_the_command_line_says_what_to_do(monkeypatch, capsys):
    def broken() -> None:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(app, "app", broken)
    monkeypatch.setattr(app.faulthandler, "enable", lambda: None)
    with pytest.raises(SystemExit):
        app.main()
    told = capsys.readouterr().err
    assert "pip install --no-deps --force-reinstall opencv-python-headless" in told
    assert told.count("\n") == 1


def test_no_registry_host_or_local_version_is_in_the_lock():
    text = "".join((ROOT / lock).read_text() for lock in LOCKS)
    assert "://" not in text
    assert "+cpu" not in text
