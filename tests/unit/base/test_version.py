"""The commit of a run is the project's own, whatever repositories lie around it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from blindface.base.version import ROOT, find_commit

FILE = "src/blindface/base/version.py"


def repository(folder: Path) -> Path:
    """A git repository with one commit of all that lies in the folder, and a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes").touch()
    person = ("-c", "user.name=A Student", "-c", "user.email=student@example.org")
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "One"]):
        subprocess.run(["git", "-C", str(folder), *person, *words], check=True, capture_output=True)
    return folder


def project(folder: Path) -> Path:
    """A project of ours as an archive unpacks it."""
    (folder / FILE).parent.mkdir(parents=True)
    shutil.copy(ROOT / FILE, folder / FILE)
    return folder


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch):
    monkeypatch.delenv("BLINDFACE_COMMIT", raising=False)


def test_unpacked_in_another_repository_there_is_no_commit_but_the_one_given(tmp_path, monkeypatch):
    inside = project(repository(tmp_path / "outer") / "blindface")
    assert find_commit(inside) is None
    monkeypatch.setenv("BLINDFACE_COMMIT", "abc")
    assert find_commit(inside) == "abc"


def test_committed_in_another_repository_there_is_no_commit_either(tmp_path):
    inside = project(tmp_path / "outer" / "blindface")
    repository(tmp_path / "outer")
    assert find_commit(inside) is None


def test_unpacked_over_another_repository_s_root_there_is_no_commit(tmp_path):
    assert find_commit(project(repository(tmp_path))) is None


def test_outside_git_there_is_no_commit(tmp_path):
    assert find_commit(project(tmp_path / "blindface")) is None


def test_the_own_repository_says_its_commit_and_what_is_changed(tmp_path, monkeypatch):
    own = project(tmp_path / "blindface")
    repository(own)
    # as in a git hook of another repository
    monkeypatch.setenv("GIT_DIR", str(repository(tmp_path / "other") / ".git"))
    commit = find_commit(own)
    assert commit
    assert len(commit) == 12
    (own / FILE).write_text("")
    assert find_commit(own) == f"{commit}-dirty"
    linked = tmp_path / "link"
    linked.symlink_to(own)
    assert find_commit(linked) == f"{commit}-dirty"
