"""What docs/metrics.md says of metrics, backbones and libraries is what the code, the registry and the lock say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from blindface.evaluation.catalogue import descriptions
from blindface.external.registry import load_registry
from blindface.params import EvaluateParams

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "metrics.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    part = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def all_metrics() -> dict[str, str]:
    """Every metric that any parameters ask for, and which way it improves."""
    choices = {name: get_args(EvaluateParams.model_fields[name].annotation) for name in ("lpips", "frechet")}
    asked = [EvaluateParams(lpips=trunk) for trunk in choices["lpips"]]
    asked += [EvaluateParams(frechet=backbone) for backbone in choices["frechet"]]
    return {one.name: one.better for params in asked for one in descriptions(params)}


def test_the_table_has_every_metric_with_its_direction_and_no_other() -> None:
    written = {name: row[1] for row in rows("The metrics") for name in re.findall(r"`(\w+)`", row[0])}
    assert written == all_metrics()


def test_every_backbone_has_the_hash_of_the_registry() -> None:
    written = {row[1].strip("`"): row[2].strip("`") for row in rows("Backbones")[:-1]}
    stages = ("vgg16", "alexnet", "squeezenet1_1", "niqe", "inception", "mobilefacenet")
    known = [(Path(form.file).name, form.sha256) for name, form in load_registry().forms() if name in stages]
    assert written == dict(known)


@pytest.mark.parametrize("package", ["scikit-image", "pyiqa", "lpips", "pytorch-fid", "torch"])
def test_the_libraries_that_numbers_agree_with_have_the_locked_versions(package: str) -> None:
    locks = "".join((ROOT / f"requirements{part}.lock").read_text() for part in ("", "-pyiqa"))
    (version,) = re.findall(rf"^{package}==(\S+)$", locks, re.MULTILINE)
    assert f"{package} {version}" in TEXT
