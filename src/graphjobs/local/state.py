"""The folder of a local instance: names of what is in it, and the lock that keeps it to one instance.

It needs the standard library alone, so that the supervisor starts quickly.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

AUDIENCE: Final = "graphjobs-local"
STATE_FILE: Final = "local.json"
LOCK_FILE: Final = "local.lock"
LOGS: Final = "logs"


class FolderTaken(Exception):
    """Another instance runs in this folder."""


class StateFolder:
    """The folder, held by this process from `take` until it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._writing = threading.Lock()

    @property
    def logs(self) -> Path:
        """Where the processes log."""
        return self.path / LOGS

    def take(self) -> None:
        """Make the folder and hold it; the system lets go of it however this process ends.

        Raises:
            FolderTaken: another instance has it.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise FolderTaken(
                f"graphjobs local runs in {self.path} already; set GRAPHJOBS_STATE_DIR for one more."
            ) from None
        self._lock = lock

    def write(self, facts: Callable[[], dict[str, Any]]) -> None:
        """Say where things are, for clients on this machine; from any thread. Once cleared, nothing is said any more.

        `facts` is asked when it is this call's turn, so that the newest are those that stay.
        """
        with self._writing:
            if self._lock is None:
                return
            path = self.path / STATE_FILE
            fresh = path.with_suffix(".tmp")
            fresh.write_text(json.dumps(facts(), indent=2), encoding="utf-8")
            fresh.replace(path)

    def clear(self) -> None:
        """Nothing runs here any more."""
        with self._writing:
            if self._lock is not None:
                (self.path / STATE_FILE).unlink(missing_ok=True)
                os.close(self._lock)
                self._lock = None
