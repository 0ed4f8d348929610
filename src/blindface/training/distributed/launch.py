"""Starting a command in several processes on this machine, as torchrun does, and ending them together.

Kept apart from torchrun for what a person sees: a mistake is one sentence, Ctrl-C saves and leaves, and the exit
status is that of the command. A run over several machines is started by torchrun itself (docs/training.md).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

PATIENCE = 30.0
"""Seconds that the others have to end by themselves after one has failed; they may wait for its messages for ever."""
LAUNCHER = "BLINDFACE_LAUNCHER"
"""The variable that tells a process its launcher's id, so that it leaves when that one is gone."""


def launch(arguments: Sequence[str], count: int) -> int:
    """Run `blindface ARGUMENTS` in so many processes, one per GPU; returns the exit status.

    SIGINT and SIGTERM are handed on. The status is that of the first process that fails, 0 if none does.
    """
    command = [sys.executable, "-m", "blindface", *arguments]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    shared = {**os.environ, **address, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    shared[LAUNCHER] = str(os.getpid())
    shared.setdefault("OMP_NUM_THREADS", str(max(len(os.sched_getaffinity(0)) // count, 1)))
    # Sessions of their own, so that a terminal's Ctrl-C reaches them once, through us
    children = [
        subprocess.Popen(command, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, start_new_session=True)
        for rank in range(count)
    ]

    def hand_on(number: int, frame: FrameType | None) -> None:
        for child in children:
            if child.poll() is None:
                child.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _wait(children)
    finally:
        for child in children:
            child.kill()
        for number, handler in before.items():
            signal.signal(number, handler)


def launcher_is_gone() -> bool:
    """Whether the launcher of this process has ended without ending it."""
    launcher = os.environ.get(LAUNCHER)
    return launcher is not None and int(launcher) != os.getppid()


def _wait(children: Sequence[subprocess.Popen[bytes]]) -> int:
    failed, deadline = 0, float("inf")
    while any(child.poll() is None for child in children):
        if not failed:
            failed = next((child.returncode for child in children if child.poll()), 0)
            deadline = time.monotonic() + PATIENCE if failed else deadline
        if time.monotonic() > deadline:
            for child in children:
                child.kill()
        time.sleep(0.05)
    failed = failed or next((child.returncode for child in children if child.returncode), 0)
    return failed if failed >= 0 else 128 - failed


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
