"""What all tests share."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

# As the command line does, and here before PyTorch is loaded: threads that spin slow each other down.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of external files; tests that need it are skipped, loudly, where it is not given."""
    place = os.environ.get("BLINDFACE_MIRROR")
    if not place or not Path(place).is_dir():
        warnings.warn("BLINDFACE_MIRROR is not set: tests on real photographs and weights are SKIPPED", stacklevel=1)
        pytest.skip("needs BLINDFACE_MIRROR, the folder of external files")
    return Path(place)


TOGETHER = ("tests/pipeline/", "tests/workflow/test_dvc.py")
"""Tests that share an expensive run, or build on each other: one worker takes all of a place, in order, and first."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests out among `-n` workers one by one, but for those that belong together.

    By the place of a test: xdist's own groups do nothing under pytest 9.2, which keeps the ids that they are written
    into elsewhere.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)

    return Scheduling(config, log)
