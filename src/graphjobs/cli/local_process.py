"""A local instance as a child process: started, waited for, and ended whatever happens.

Holds true: after `stop` neither it nor any process that it named is left.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Final, Self

from graphjobs import processes

STOP_SECONDS: Final = 20.0
LOCAL: Final = (sys.executable, "-m", "graphjobs.cli.main", "local")
LAST_LINES: Final = "Its last lines on stderr:"


def local_command(*options: str) -> list[str]:
    """``graphjobs local`` as a `LocalProcess` runs it: on free ports, and with `options`."""
    return [*LOCAL, "--json", "--until-eof", "--api-port", "0", "--stream-port", "0", *options]


class LocalStartError(Exception):
    """The local instance did not start; the text has the last lines that it wrote to stderr."""


class LocalProcess:
    """Runs `command`, which has to print one JSON line when it is ready, as a context manager."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        # stdin closes with us, however we end: what is told ``--until-eof`` ends then too.
        pipe = subprocess.PIPE
        self._process = processes.start(command, environ, stdin=pipe, stdout=pipe, stderr=self._stderr)
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read_lines, daemon=True)
        self._reader.start()
        self._pids: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def ready(self, timeout_seconds: float) -> dict[str, Any]:
        """The JSON object of the ready line: ``{"api_url", "stream_url", "aws_endpoint_url", "pids"}``.

        Raises:
            LocalStartError: the process ended, or said nothing in time, or not that.
        """
        try:
            line = self._lines.get(timeout=timeout_seconds)
        except queue.Empty:
            raise self._failure(f"it was not ready within {timeout_seconds:.0f} s") from None
        if line is None:
            raise self._failure(f"it ended with exit code {self._process.wait(STOP_SECONDS)}")
        try:
            instance = json.loads(line)
            self._pids = list(_numbers(instance["pids"]))
        except (ValueError, TypeError, KeyError):
            raise self._failure(f"its ready line is {line[:200]!r}") from None
        return dict(instance)

    @property
    def running(self) -> bool:
        """Whether the process itself has not ended."""
        return self._process.poll() is None

    def last_lines(self) -> str:
        """The last lines that it wrote to stderr, indented."""
        self._stderr.seek(0)
        return textwrap.indent(processes.last_lines(self._stderr.read()), "  ") or "  (nothing)"

    def stop(self) -> None:
        """Ask it to end, wait, and kill what is still there after `STOP_SECONDS`."""
        if not processes.stop(self._process, STOP_SECONDS):
            self._kill_orphans()
        self._stderr.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _kill_orphans(self) -> None:
        """End the processes that have lost their parent: those of its own group, and those that it named."""
        processes.kill_group(self._process)
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _read_lines(self) -> None:
        """Drain stdout to its end, so that the child never waits for a reader."""
        stdout = self._process.stdout
        if stdout is not None:
            with stdout:
                for line in stdout:
                    self._lines.put(line)
        self._lines.put(None)

    def _failure(self, what: str) -> LocalStartError:
        return LocalStartError(f"The local instance did not start: {what}.\n{LAST_LINES}\n{self.last_lines()}")


def _numbers(value: Any) -> Iterator[int]:
    """Every process id in the ready line's `pids`, whose members are ids or lists of them."""
    if type(value) is int and value > 1:  # 0, -1 and 1 are no children of ours, and dangerous to signal.
        yield value
    elif isinstance(value, list | dict):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _numbers(member)
