"""The tiny experiment, made smaller still, run from photographs to report in a working directory of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.running import ROOT, snakemake

SMALLER = """
fetch: {embedded: {identities: 16, photographs: 2}}
split: {validation: 4}
train: {progressive: {epochs: 2, generator_channels: 16, discriminator_channels: 4}}
restore: {methods: [classical1, parallel]}
"""


def run_graph(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake on the tiny experiment in `directory`, without external files; the call must succeed."""
    overlay = directory / "smaller.yaml"
    overlay.write_text(SMALLER)
    overlays = ("--configfile", str(ROOT / "config/tiny.yaml"), str(overlay))
    cache = {"BLINDFACE_CACHE": str(directory / "cache")}
    return snakemake("--cores", "2", *overlays, *words, directory=directory, **cache)


@pytest.fixture(scope="session")
def first_run(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("first")
    run_graph(directory)
    return directory
