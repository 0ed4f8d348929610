"""A run that was killed goes on with the plain command; a run that is alive is not disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.running import ROOT, environment, jobs_of, snakemake

sys.path.insert(0, str(ROOT / "workflow"))

from liveness import take_over

MICRO = str(Path(__file__).parent / "micro.yaml")
WORDS = ("--cores", "2", "--configfile", MICRO, "--", "data/split.csv")


def wait_for(condition, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    raise AssertionError("nothing ran within a minute")


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_plain_command(tmp_path):
    state = tmp_path / ".snakemake"
    words = ["snakemake", "--directory", str(tmp_path), *WORDS]
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: any((state / "incomplete").glob("*")), process)
        second = snakemake(*WORDS, directory=tmp_path, check=False)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert second.returncode != 0
    assert "cannot be locked" in second.stderr
    assert list((state / "locks").glob("*.lock"))
    again = snakemake(*WORDS, directory=tmp_path)
    assert "an earlier run was killed" in again.stderr
    assert (tmp_path / "data/split.csv").is_file()
    assert jobs_of(snakemake("-n", *WORDS, directory=tmp_path)) == {}
    assert not list((state / "locks").glob("*.lock"))


def test_the_lock_of_a_living_run_stays(tmp_path):
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    program = "import sys, pathlib, liveness; liveness.take_over(pathlib.Path('.')); "
    program += "print('up', flush=True); sys.stdin.read()"
    alive = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": str(ROOT / "workflow")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert alive.stdout.readline() == b"up\n"
        (locks / "0.input.lock").touch()
        assert not take_over(tmp_path)
        assert (locks / "0.input.lock").exists()
    finally:
        alive.kill()
        alive.wait()
    assert take_over(tmp_path, dry_run=True)
    assert not (locks / "0.input.lock").exists()
