"""pyproject.toml, environment.yml and the lock of exact versions say the same."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked() -> dict[str, str]:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    requirements = [Requirement(line) for line in lines]
    assert all(re.fullmatch(r"==[\w.+!]+", str(requirement.specifier)) for requirement in requirements)
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}


def test_every_declared_package_is_locked_within_its_bounds():
    pins = locked()
    declared = PROJECT["dependencies"] + [name for group in PROJECT["optional-dependencies"].values() for name in group]
    for requirement in map(Requirement, declared):
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
    different = {
        name: (pin, metadata.version(name))
        for name, pin in locked().items()
        if metadata.version(name).partition("+")[0] != pin
    }
    assert not different


def test_no_registry_host_or_local_version_is_in_the_lock():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "+cpu" not in text
