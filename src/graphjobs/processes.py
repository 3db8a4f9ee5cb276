"""Child processes, each in a session of its own: it can be ended with all its children, and Ctrl-C is for us alone."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

STOP_SECONDS: Final = 10.0
LAST_LINES: Final = 15
"""So many lines of what a process has said are shown when it fails."""

Process = subprocess.Popen[bytes]


def start(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
) -> Process:
    """Start `command` with nothing but `environ`; does not wait.

    `stdin`, `stdout` and `stderr` are as in `subprocess`: without them it reads nothing and writes where we do. A child
    whose stdin is a pipe can see by its end that we are gone, however we ended.
    """
    return subprocess.Popen(  # noqa: S603 - who calls names the program
        command, env=dict(environ), cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
    )


def stop(process: Process, seconds: float = STOP_SECONDS) -> bool:
    """Ask a process to end, and kill it if it does not within `seconds`.

    Returns:
        Whether it ended because it was asked: not so if it had ended before, or had to be killed.
    """
    if process.poll() is not None:
        return False
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def kill_group(process: Process) -> None:
    """Kill whatever is left in the session of a process that `start` has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left in it


def stop_group(process: Process, seconds: float = STOP_SECONDS) -> None:
    """End a process that `start` has started, and every child it still has in its session."""
    stop(process, seconds)
    kill_group(process)


def last_lines(said: bytes, number: int = LAST_LINES) -> str:
    """The last `number` lines of what a process has said."""
    return "\n".join(said.decode("utf-8", "replace").splitlines()[-number:])


@contextmanager
def running(
    command: Sequence[str], environ: Mapping[str, str], *, cwd: Path | None = None, log: Path | None = None
) -> Iterator[Process]:
    """`command`, ended with all its children in the end; all it says goes to the end of `log`, or where ours does."""
    with ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log is not None else None
        process = start(command, environ, cwd=cwd, stdout=output, stderr=subprocess.STDOUT if output else None)
        stack.callback(stop_group, process)
        yield process
