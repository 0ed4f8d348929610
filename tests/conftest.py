"""What all tests share."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

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
