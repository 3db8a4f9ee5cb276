"""One child process: started, waited for until it says it is ready, started again when it dies, and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from graphjobs import processes
from graphjobs.local.child import READY
from graphjobs.local.notes import Note, note_of
from graphjobs.local.restarts import Restarts

STOP_SECONDS = 3.0


class StartFailed(Exception):
    """A process ended, or said nothing, before it was ready; the message shows the end of its log."""


class ChildProcess:
    """A Python module run as a child, its output in a log file; the notes in it go to `on_note` instead."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: list[str],
        environ: dict[str, str],
        log: Path,
        on_note: Callable[[Note], object] = lambda note: None,
    ) -> None:
        self.name = name
        self._on_note = on_note
        self.facts: dict[str, Any] = {}
        # -P: a module of the folder that we were started in must not hide one of ours.
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._environ = environ
        self._log = log
        self._ready = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restarts = Restarts()
        self._start_again_at: float | None = None  # (monotonic) once it was seen to have ended

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None  # noqa: S101 - only asked for after `start`
        return self._process.pid

    def start(self) -> None:
        """Start it; does not wait."""
        self._ready.clear()
        self._started_at = time.monotonic()
        log = self._log.open("ab", buffering=0)
        # The child ends when stdin closes: also when we are killed.
        pipe = subprocess.PIPE
        self._process = processes.start(
            self._command, {**os.environ, **self._environ}, stdin=pipe, stdout=pipe, stderr=log
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        threading.Thread(target=self._copy, args=(self._process.stdout, log), daemon=True).start()

    def wait_ready(self, seconds: float) -> None:
        """Wait until it says so.

        Raises:
            StartFailed: it did not.
        """
        deadline = time.monotonic() + seconds
        while not self._ready.wait(0.02):
            if self.dead():
                raise StartFailed(f"{self.name} ended while it started:\n{self._end_of_log()}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name} was not ready after {seconds:.0f} s:\n{self._end_of_log()}")

    @property
    def exit_code(self) -> int | None:
        """How it ended: negative for a signal; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def dead(self) -> bool:
        """Whether it has ended."""
        return self._process is not None and self._process.poll() is not None

    def restart_if_dead(self) -> bool:
        """Start it again if it has ended, but not in a tight circle; returns whether it was started."""
        if not self.dead():
            return False
        now = time.monotonic()
        if self._start_again_at is None:
            self._start_again_at = now + self._restarts.pause(now - self._started_at)
        if now < self._start_again_at:
            return False
        self._start_again_at = None
        self._close()
        self.start()
        return True

    def stop(self) -> None:
        """End it: asked first, killed if it does not listen."""
        if self._process is None:
            return
        processes.stop(self._process, STOP_SECONDS)
        self._close()

    def _close(self) -> None:
        assert self._process is not None  # noqa: S101 - only called after `start`
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _copy(self, stdout: IO[bytes], log: IO[bytes]) -> None:
        with stdout, log:
            for line in stdout:
                facts = _ready_line(line) if not self._ready.is_set() else None
                note = note_of(line) if facts is None else None
                if note is not None:
                    self._on_note(note)
                elif facts is None:
                    log.write(line)
                else:
                    self.facts = facts
                    self._ready.set()

    def _end_of_log(self) -> str:
        return textwrap.indent(processes.last_lines(self._log.read_bytes()), "  ")


def _ready_line(line: bytes) -> dict[str, Any] | None:
    try:
        facts = json.loads(line)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) and facts.get(READY) is True else None
