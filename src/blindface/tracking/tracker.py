"""A run that is tracked while it trains.

A thread follows the files that training writes anyway, and sends what is new. So training never waits for MLflow and
cannot fail by it; a store that is away for a while gets everything once it is back; and what it never got is imported
from the same files.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from blindface.base.progress import say
from blindface.params import TrackParams
from blindface.tracking import record
from blindface.tracking.store import first_line, open_store
from blindface.tracking.system import SystemSampler
from blindface.tracking.writer import RunWriter

Status = Literal["FINISHED", "FAILED", "KILLED"]

EVERY = 5.0
"""Seconds between two looks at the files."""
LONGEST_PAUSE = 60.0
"""Seconds between two attempts at a store that failed."""
LAST_ATTEMPTS, LAST_PAUSE = 3, 2.0
"""Attempts at the end of a run, and the seconds between them."""
FINISH_LIMIT, LEAVE_LIMIT = 120.0, 15.0
"""Seconds that the end of a run waits for the store: with results, and without."""


class Tracker:
    """Follows a run in MLflow from `start` to `finish`; a `with` block does both. Nothing of it raises.

    folder: of the model, with the files that `tracking.record` names; facts: what run.json will begin with.
    """

    def __init__(self, track: TrackParams, folder: Path, facts: Mapping[str, Any]) -> None:
        self.track, self.folder, self.facts = track, folder, dict(facts)
        self.error: str | None = None
        self._sampler = SystemSampler(folder)
        self._ending = threading.Event()
        self._status: Status = "FAILED"
        self._done = False
        self._worker = threading.Thread(target=self._work, name="MLflow", daemon=True)

    def __enter__(self) -> Tracker:
        self._sampler.start()
        if self.track.uri:
            self._worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish("FINISHED")
        else:
            self.finish("KILLED" if issubclass(kind, KeyboardInterrupt | SystemExit) else "FAILED")

    def finish(self, status: Status = "FINISHED") -> None:
        """Send what is left and end the run, within a time limit. Further calls do nothing."""
        if self._ending.is_set():
            return
        self._sampler.stop()
        self._status = status
        self._ending.set()
        if not self._worker.is_alive() and not self.error:
            return
        limit = FINISH_LIMIT if status == "FINISHED" else LEAVE_LIMIT
        self._worker.join(limit)
        if not self._done:
            self._tell_remedy(self.error or f"no answer in {limit:.0f} s")

    def _tell_remedy(self, reason: str) -> None:
        if self._status == "FINISHED":
            later = f"bring the run in with 'blindface import-run --model-dir {self.folder}'"
        else:
            later = "going on with the run brings it in"
        _tell(f"blindface: MLflow does not have all of this run ({reason}); later: {later}")

    def _work(self) -> None:
        """The thread: look, send, and try again after a failure."""
        writer: RunWriter | None = None
        pause, left = EVERY, LAST_ATTEMPTS
        while True:
            ending = self._ending.is_set()
            try:
                if writer is None:
                    writer = RunWriter(open_store(self.track.uri), self.folder, self.track.experiment, self.facts, None)
                    writer.open()
                if ending and self._status == "FINISHED":
                    writer.finish()
                elif ending:
                    writer.leave(self._status)
                else:
                    writer.send_news()
                pause = EVERY
                self._recovered()
                if ending:
                    self._done = True
                    return
            except (Exception, SystemExit) as error:
                writer = None  # half made, perhaps
                self._failed(error)
                pause, left = min(2 * pause, LONGEST_PAUSE), left - ending
                if left == 0 or isinstance(error, ModuleNotFoundError):
                    return
            if ending:
                time.sleep(LAST_PAUSE)
            self._ending.wait(pause)

    def _failed(self, error: BaseException) -> None:
        if self.error is None:
            what = "MLflow is not installed" if isinstance(error, ModuleNotFoundError) else first_line(error)
            _tell(f"blindface: MLflow's store {self.track.uri} cannot be used ({what}); training goes on")
        self.error = first_line(error)

    def _recovered(self) -> None:
        if self.error is not None:
            _tell(f"blindface: MLflow's store {self.track.uri} works again")
        self.error = None


def _tell(message: str) -> None:
    with suppress(OSError):  # the reader may be gone, as `tee` is after Ctrl-C; training goes on
        say(message)


def start_tracking(track: TrackParams | None, folder: Path, facts: Mapping[str, Any], fresh: bool) -> Tracker:
    """The tracker of a run, not begun yet. fresh: the run begins anew, so what an earlier one left to be tracked goes.

    facts: objective, params, data, code, started and what else run.json will hold and is known.
    """
    if fresh:
        stale = [folder / record.SYSTEM, *(folder / record.SAMPLES).glob("epoch*.png")]
        for path in stale:
            path.unlink(missing_ok=True)
    return Tracker(track or TrackParams(uri=""), folder, facts)
