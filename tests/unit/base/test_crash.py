"""A crash in a compiled library says where it was."""

from __future__ import annotations

import signal
import subprocess
import sys

CRASH = "import ctypes, blindface.cli.app as command; command.app = lambda: ctypes.string_at(0); command.main()"


def test_a_crash_names_its_place() -> None:
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in done.stderr
    assert "cli/app.py" in done.stderr
