"""The tiny experiment, made smaller still, run from photographs to report in a working directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALLER = """
fetch: {embedded: {identities: 16, photographs: 2}}
split: {validation: 4}
train: {epochs: 2, generator_channels: 16, discriminator_channels: 4}
restore: {methods: [classical1, parallel]}
"""


def run_graph(directory: Path, *words: str, mirror: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Snakemake on the tiny experiment in `directory`; the call must succeed."""
    overlay = directory / "smaller.yaml"
    directory.mkdir(parents=True, exist_ok=True)
    overlay.write_text(SMALLER)
    environment = dict(os.environ) | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"BLINDFACE_CACHE": str(directory / "cache")}
    if not mirror:
        environment.pop("BLINDFACE_MIRROR", None)
        # A proxy that refuses every connection at once: no network, on any machine.
        environment |= {
            name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
        }
    result = subprocess.run(
        [
            *("snakemake", "--cores", "2", "--directory", str(directory)),
            *("--configfile", "config/tiny.yaml", str(overlay), *words),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    return result


@pytest.fixture(scope="session")
def first_run(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("first")
    run_graph(directory, mirror=False)
    return directory
