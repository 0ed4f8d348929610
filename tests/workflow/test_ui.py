"""MLflow's page of the runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--assume-old=.venv/ready", "ui", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_it_is_bound_to_this_machine(tmp_path):
    result = make("--dry-run", f"STORE={tmp_path}/mlflow.db", "PORT=5123")
    assert f"--host 127.0.0.1 --port 5123 \\\n\t--workers 1 --backend-store-uri sqlite:///{tmp_path}/mlflow.db" in (
        result.stdout.replace("\t\t", "\t")
    )


def test_without_runs_it_says_how_to_get_some(tmp_path):
    result = make(f"STORE={tmp_path}/none.db")
    assert result.returncode != 0
    assert f"there are no runs in {tmp_path}/none.db: make report first" in result.stdout
    assert not list(tmp_path.iterdir())
