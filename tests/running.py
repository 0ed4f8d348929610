"""How tests start the tools of the pipeline: in a folder of their own, without a network, with this very code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
NO_PROXY = "http://127.0.0.1:9"
"""A proxy that refuses every connection at once: no network, on any machine."""
PATIENCE = float(os.environ.get("BLINDFACE_TEST_PATIENCE", "540"))
"""Seconds that one command may take; raise it, and pytest's --timeout, on a busy machine."""


def environment(root: Path = ROOT, mirror: bool = False) -> dict[str, str]:
    """The environment of a call; without `mirror` also without the folder of external files and without a network."""
    values = dict(os.environ) | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(root / "src"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }
    if not mirror:
        values.pop("BLINDFACE_MIRROR", None)
        values |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NO_PROXY)
    return values


def run(words: list[str], cwd: Path = ROOT, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command; with `check` it must succeed. `more` are variables of the environment."""
    result = subprocess.run(
        words,
        cwd=cwd,
        env=environment(cwd if (cwd / "src").is_dir() else ROOT) | more,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert not check or result.returncode == 0, (words, result.stdout[-5000:] + result.stderr[-5000:])
    return result


def snakemake(*words: str, directory: Path, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """Snakemake on this project's Snakefile, in a working directory of its own, with the profile it finds by itself."""
    return run(["snakemake", "--directory", str(directory), *words], check=check, **more)


def jobs_of(result: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Jobs per rule, from the table that Snakemake prints."""
    table = re.findall(r"^(\w+)\s+(\d+)$", result.stdout + result.stderr, re.MULTILINE)
    return {name: int(count) for name, count in table if name != "total"}


class Laboratory:
    """A clone of the project with a git history of its own, to change parameters in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def from_working_tree(cls, folder: Path) -> Laboratory:
        """The files of the working tree, as git sees them, in a new repository."""
        names = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]).stdout.split("\0")
        for name in filter(None, names):
            if (ROOT / name).is_file() and not name.startswith("reports/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        made = cls(folder)
        made.git("init", "--quiet", "--initial-branch", "main")
        return made

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(list(words), self.folder, check)

    def git(self, *words: str) -> str:
        person = ("-c", "user.name=A Student", "-c", "user.email=student@example.org")
        return self.run("git", *person, *words).stdout

    def dvc(self, *words: str) -> str:
        result = self.run("dvc", *words)
        return result.stdout + result.stderr

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def plan(self, *words: str) -> dict[str, int]:
        """The jobs that plain Snakemake would run."""
        return jobs_of(self.run("snakemake", "-n", *words))

    def set(self, key: str, value: Any) -> None:
        """Change one parameter in params.yaml."""
        path = self.folder / "params.yaml"
        values = yaml.safe_load(path.read_text())
        *blocks, name = key.split(".")
        place = values
        for block in blocks:
            place = place[block]
        assert name in place, key
        place[name] = value
        path.write_text(yaml.safe_dump(values, sort_keys=False))


def stages_run(output: str) -> list[str]:
    """The stages that DVC ran, from its output."""
    return re.findall(r"Running stage '([\w-]+)'", output)


def merged(values: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Values with those of the overlay put over them, block by block."""
    result = dict(values)
    for key, value in overlay.items():
        inside = result.get(key)
        both = isinstance(value, Mapping) and isinstance(inside, Mapping)
        result[key] = merged(inside, value) if both else value
    return result
