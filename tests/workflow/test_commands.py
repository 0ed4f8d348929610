"""Every command that the README and the guides show is run somewhere; this says where, and that it is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.running import ROOT

TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DVC, GRAPH, CI = "tests/workflow/test_dvc.py", "tests/workflow/test_graph.py", ".ci/run"
INTERRUPTED, OUTPUT = "tests/workflow/test_interrupted.py", "tests/workflow/test_snakemake_output.py"

RUN_IN: dict[str, tuple[str, str]] = {
    # the beginning of a command: a file that runs it, and the words there
    "make report": (CI, "make report"),
    "make test": (CI, "make test"),
    "make lint": (CI, "make lint"),
    "make subset": (CI, "make subset"),
    "make dvc": (DVC, "workflow/dvc_stages.py"),
    "make ui": ("tests/workflow/test_ui.py", '"ui", *words'),
    # Another machine is not at hand; what is copied so is imported from a folder.
    "rsync": ("tests/unit/tracking/test_tracking.py", "import_run"),
    "source .venv/bin/activate": ("tests/running.py", '"PATH"'),
    "snakemake -n reports/metrics.md": (GRAPH, '"-n", "reports/metrics.md"'),
    # The same rules, on rendered faces: LFW and 102 epochs take a GPU for a day.
    "snakemake --cores 8 reports/metrics.md": ("tests/pipeline/conftest.py", '"--cores", "2"'),
    "snakemake -n --config": (DVC, 'plan("--config"'),
    "snakemake -n": ("tests/running.py", '"snakemake", "-n"'),
    "snakemake --directory build/tiny --configfile config/tiny.yaml": ("Makefile", "--configfile config/tiny.yaml"),
    "snakemake --dag": (OUTPUT, '"--dag"'),
    "snakemake --summary": (OUTPUT, '"--summary"'),
    "python benchmarks/ablations.py": ("tests/pipeline/test_ablations.py", '"benchmarks/ablations.py"'),
    "snakemake --report": ("tests/pipeline/test_reports.py", '"--report"'),
    "snakemake data": (OUTPUT, '"data"'),
    "snakemake models": (OUTPUT, '"models"'),
    "snakemake": (INTERRUPTED, "snakemake(*WORDS"),
    "git clone": (DVC, '"git", "clone"'),
    "git checkout": (DVC, '"checkout", "--quiet"'),
    "git commit": ("tests/running.py", '"commit", "--quiet"'),
    "git add": ("tests/running.py", '"add", "--all"'),
    "git tag": (DVC, '"tag"'),
    "dvc remote add --default": (DVC, '"remote", "add", "--default"'),
    "dvc repro": (DVC, 'dvc("repro"'),
    "dvc status": (DVC, '"status"'),
    "dvc push": (DVC, '"push"'),
    "dvc pull": (DVC, '"pull"'),
    "dvc checkout": (DVC, 'dvc("checkout"'),
    "dvc exp run --queue": (DVC, '"--queue"'),
    "dvc exp run --run-all": (DVC, '"--run-all"'),
    "dvc exp run": (DVC, '"exp", "run"'),
    "dvc exp show": (DVC, '"exp", "show"'),
    "dvc exp diff": (DVC, '"exp", "diff"'),
    "dvc exp apply": (DVC, '"exp", "apply"'),
    "dvc commit": (DVC, 'dvc("commit"'),
    "dvc exp list": (DVC, '"exp", "list"'),
    "dvc params diff": (DVC, '"params", "diff"'),
    "dvc metrics diff": (DVC, '"metrics", "diff"'),
    "dvc plots diff": (DVC, '"plots", "diff"'),
}


def commands() -> list[tuple[str, str]]:
    """(file, command) of all lines in blocks marked as shell; comments and continued lines are taken off and joined."""
    found = []
    for path in TEXTS:
        for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s+#.*", "", line).strip()
                if command and not command.startswith("#"):
                    found.append((path.relative_to(ROOT).as_posix(), re.sub(r"\s+", " ", command)))
    return found


@pytest.mark.parametrize(("text", "command"), commands())
def test_a_command_in_the_guides_is_run_somewhere(text, command):
    if command.startswith("blindface "):
        # A stage or tool by hand: its name has to be in a test, together with an option of the command.
        name = command.split()[1]
        tests = "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
        assert re.search(rf"""["' ]{re.escape(name)}["' ]""", tests), f"{text}: no test runs 'blindface {name}'"
        return
    known = sorted((start for start in RUN_IN if command == start or command.startswith(f"{start} ")), key=len)
    known = [start for start in known if start != "snakemake" or command == start]
    assert known, f"{text} shows '{command}', which nothing here runs: test it and say where in RUN_IN"
    file, words = RUN_IN[known[-1]]
    assert words in Path(ROOT / file).read_text(), f"{file} does not run {known[-1]!r} any more"


def test_make_help_names_every_target():
    text = (ROOT / "Makefile").read_text()
    declared = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())
    assert set(re.findall(r"^([a-z]+):.*## ", text, re.MULTILINE)) == declared
    for command in (command for _, command in commands() if command.startswith("make ")):
        assert command.split()[1] in declared
