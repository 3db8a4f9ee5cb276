"""Ends what a job has started and left running: tasks of the event loop, and programs. What modules keep lives on.

A thread that a node has started cannot be ended; those of synchronous nodes are `NodeExecutor`'s to watch.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import multiprocessing.forkserver
import multiprocessing.process
import multiprocessing.resource_tracker
import os
import signal
import subprocess
import sys
import time
import weakref
from asyncio.base_subprocess import BaseSubprocessTransport
from typing import Any, ClassVar, Final

from graphjobs.worker.kept import kept_instances, kept_of

PR_SET_CHILD_SUBREAPER: Final = 36
TERM_SECONDS: Final = 0.3
ROUNDS: Final = 10


class Leftovers:
    """What was running before a job, and so is not its own."""

    _kept: ClassVar[weakref.WeakSet[asyncio.Task[Any]]] = weakref.WeakSet()
    """Of all jobs of this process: tasks that a module was found to keep."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks = weakref.WeakSet(asyncio.all_tasks(loop))
        self._programs = children()

    def tasks(self) -> set[asyncio.Task[Any]]:
        """The tasks that the job has left on the loop, which does not run just now."""
        left = asyncio.all_tasks(self._loop) - set(self._tasks) - set(self._kept)
        if left:
            kept = kept_of(left)
            self._kept.update(kept)
            left.difference_update(kept)
        return left

    def end_programs(self) -> int:
        """Kill the programs that the job has left running, with all that they have started; how many they were."""
        killed: set[int] = set()
        for _ in range(ROUNDS):
            # A program whose parent has ended is ours, see `adopt_orphans`: so each round finds the next generation.
            left = children() - self._programs - killed
            if not left or not (left := left - _kept_programs()):
                break
            _kill(left)
            killed |= left
        return len(killed)


def adopt_orphans() -> None:
    """Be the parent of programs whose own parent has ended, where the system can do that (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> set[int]:
    """The processes that this one is the parent of, where the system tells (Linux)."""
    if sys.platform == "linux" and not _any_child():
        return set()
    own = os.getpid()
    with os.scandir("/proc") as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdecimal()]
    return {pid for pid in pids if _parent(pid) == own}


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 -- of hundreds, and half as long
            stat = file.read()
    except OSError:
        return None  # it has just ended
    # pid (name, which may hold anything) state parent ...
    return int(stat.rpartition(b")")[2].split(None, 2)[1])


def _any_child() -> bool:
    """Whether there is one, running or ended: one system call, where to look through /proc takes hundreds."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _kept_programs() -> set[int]:
    """Programs that belong to objects which a module keeps, and multiprocessing's own helpers."""
    types = (subprocess.Popen, multiprocessing.process.BaseProcess, BaseSubprocessTransport)
    pids = {_pid(each) for each in kept_instances(types)}
    tracker: Any = multiprocessing.resource_tracker
    server: Any = multiprocessing.forkserver
    pids |= {tracker._resource_tracker._pid, server._forkserver._forkserver_pid}
    return {pid for pid in pids if pid is not None}


def _pid(program: Any) -> int | None:
    pid = program.get_pid() if isinstance(program, BaseSubprocessTransport) else program.pid
    return pid if isinstance(pid, int) else None


def _kill(pids: set[int]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        end = time.monotonic() + TERM_SECONDS
        while time.monotonic() < end and not all(_gone(pid) for pid in pids):
            time.sleep(0.01)


def _gone(pid: int) -> bool:
    """Whether a child has ended; nobody else will ask how."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
