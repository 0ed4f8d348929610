"""Helper processes: they leave Ctrl-C to the process that started them, and end with it however it ends.

Nothing heavy is imported here: every helper process imports this module.
"""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import connection, parent_process


def live_with_parent() -> None:
    """To be run first in a process that `multiprocessing` started, as the `initializer` of a pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
