"""What goes wrong: kills, stops and wakes the processes of a local instance at random moments, from a seed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

KINDS = (
    ("kill worker", 5),
    ("stop worker", 3),
    ("kill stream", 2),
    ("stop stream", 1),
    ("kill api", 1),
    ("kill scheduler", 1),
)


class Monkey:
    """Disturbs the processes that the state file names until it is told to stop."""

    def __init__(
        self,
        state_file: Path,
        seed: int,
        *,
        lease_seconds: float,
        every_seconds: float,
        progress: Callable[[], int],
    ) -> None:
        """`progress` counts what the viewers have received: without any since the last time, nothing is done.

        Otherwise a busy machine, on which a worker takes longer to start than it is left alone, would show only
        that jobs without workers time out.
        """
        self.done: Counter[str] = Counter()
        self._state_file = state_file
        self._random = random.Random(seed)
        self._lease_seconds = lease_seconds
        self._every_seconds = every_seconds
        self._progress = progress
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="monkey")
        self._wakers: list[threading.Timer] = []

    def __enter__(self) -> Monkey:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        for waker in self._wakers:
            waker.join()

    def _work(self) -> None:
        kinds, weights = zip(*KINDS, strict=True)
        seen = 0
        while not self._ended.wait(self._random.uniform(0.5, 1.5) * self._every_seconds):
            if (now := self._progress()) > seen:
                seen = now
                self._disturb(self._random.choices(kinds, weights)[0])

    def _disturb(self, kind: str) -> None:
        verb, target = kind.split()
        pid = self._pid(target)
        if pid is None:
            return
        if verb == "kill":
            sent = _signal(pid, signal.SIGKILL)
        else:
            sent = _signal(pid, signal.SIGSTOP)
            # Past the lease more often than not: a worker that wakes then is a zombie.
            waker = threading.Timer(
                self._random.uniform(0.5, 2.5) * self._lease_seconds, _signal, (pid, signal.SIGCONT)
            )
            waker.start()
            self._wakers.append(waker)
        self.done[kind] += sent

    def _pid(self, target: str) -> int | None:
        try:
            pids: dict[str, Any] = json.loads(self._state_file.read_text(encoding="utf-8"))["pids"]
        except (OSError, ValueError):
            return None
        pid: int = self._random.choice(pids["workers"]) if target == "worker" else pids[target]
        return pid


def _signal(pid: int, number: signal.Signals) -> bool:
    """Send it, to one of our own children; a process that has ended is not there to be disturbed."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
