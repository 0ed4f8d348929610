"""What was made stays made: wherever it lies, wherever the project lies, whatever is said in other words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.running import ROOT, jobs_of, run

MICRO = str(Path(__file__).parent / "micro.yaml")
SPLIT = "def make_split("


@pytest.mark.slow
def test_moved_folders_and_edited_words_rerun_nothing_and_edited_code_what_it_decides(tmp_path):
    def plan(project: Path, directory: Path, *words: str) -> dict[str, int]:
        words = ("--directory", str(directory), *words, "--configfile", MICRO, "--", "data/split.csv")
        return jobs_of(run(["snakemake", "--cores", "2", *words], project))

    here, moved = tmp_path / "here", tmp_path / "a" / "deeper" / "place"
    plan(ROOT, here)
    moved.parent.mkdir(parents=True)
    here.rename(moved)
    assert plan(ROOT, moved, "-n") == {}
    project = tmp_path / "project"
    for name in ("Snakefile", "params.yaml", "workflow", "src", "profiles"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        project.mkdir(exist_ok=True)
        copy(ROOT / name, project / name)
    assert plan(project, moved, "-n") == {}
    module = project / "src/blindface/split.py"
    code = module.read_text()
    assert SPLIT in code
    module.write_text(code.replace(SPLIT, f"# Another word.\n{SPLIT}"))
    assert plan(project, moved, "-n") == {}
    module.write_text(code.replace(SPLIT, f"EDITED = 1\n\n\n{SPLIT}"))
    assert plan(project, moved, "-n") == {"split": 1}
