"""A run that was killed goes on with the plain command; a run that is alive is not disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.running import ROOT, environment, jobs_of, snakemake

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
    assert "another run is alive" in second.stderr
    assert "Traceback" not in second.stderr
    snakemake(*WORDS, directory=tmp_path)
    assert (tmp_path / "data/split.csv").is_file()
    assert jobs_of(snakemake("-n", *WORDS, directory=tmp_path)) == {}
