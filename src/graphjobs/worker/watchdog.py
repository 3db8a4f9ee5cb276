"""The watchdog, as the worker sees it: a process that keeps a claim alive while none of the worker's threads can run.

A node may hold Python's lock for minutes: a regular expression, a C extension. The heartbeat is a thread of the same
interpreter and stands still meanwhile, so the lease would lapse under a worker that works, and its step would be begun
again elsewhere. See `watchdog_process` for what the other process does, and ADR 33 for why it is one.

* It is forked once per worker process, before LangGraph, the project and any thread are there: little memory, no locks.
* It acts only for a claim that it was told of and not told the end of. When `Watchdog.end` has returned, nothing is
  sent for the claim any more.
* It ends with the worker, however that ends. Without it the worker goes on with its heartbeat alone.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import signal
import struct
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Final

from graphjobs.aws import clients
from graphjobs.aws.backend import Backend
from graphjobs.worker.watchdog_process import Duty, WatchdogProcess, WorkerProcess

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from graphjobs.aws.claims import Claim
    from graphjobs.core.settings import Settings
    from graphjobs.worker.heartbeat import Limits

PULSE_SECONDS: Final = 0.2
END_SECONDS: Final = 15.0
"""More than the calls that may be under way take, with the time-outs of `clients.HEARTBEAT`."""

PR_SET_PDEATHSIG: Final = 1


class Pulse:
    """When a thread of the worker last ran (monotonic seconds), in memory that both processes share."""

    def __init__(self) -> None:
        # Written by the thread that begins a duty, then by the pulse's; read by the watchdog's process.
        self._memory = mmap.mmap(-1, 8)

    def beat(self) -> None:
        """A thread runs."""
        struct.pack_into("d", self._memory, 0, time.monotonic())

    def age(self) -> float:
        """Seconds since the last beat."""
        (last,) = struct.unpack_from("d", self._memory, 0)
        return time.monotonic() - float(last)


@dataclass(slots=True)
class Watchdog:
    """The worker's end. Used by one thread at a time, but for the pulse."""

    connection: Connection
    pulse: Pulse
    pid: int
    logger: Logger
    _over: threading.Event | None = None  # by the thread that begins and ends duties; the event is the pulse's too
    _lost: bool = False  # by the same

    def begin(self, claim: Claim, receipt_handle: str, limits: Limits) -> None:
        """Have it look after a claim, until `end`."""
        if self._lost:
            return
        self.pulse.beat()
        self._over = over = threading.Event()
        threading.Thread(target=self._beat, args=(over,), name="pulse", daemon=True).start()
        try:
            self.connection.send(Duty(claim, receipt_handle, limits))
        except OSError as error:
            self._lose(error)

    def end(self) -> None:
        """End the duty, if there is one; nothing is sent for the claim any more when this returns."""
        over, self._over = self._over, None
        if over is None:
            return
        try:
            if not self._lost:
                self.connection.send(None)
                if not self.connection.poll(END_SECONDS):
                    raise TimeoutError("no answer")
                self.connection.recv()
        except (OSError, EOFError) as error:
            self._lose(error)
        finally:
            over.set()

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(PULSE_SECONDS):
            self.pulse.beat()

    def _lose(self, error: BaseException) -> None:
        """Make sure that it is gone. Another one is not forked: by now this process has threads and a project."""
        self._lost = True
        with suppress(ChildProcessError):  # a node has waited for it
            if os.waitpid(self.pid, os.WNOHANG)[0] == 0:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        self.connection.close()
        self.logger.warning("the watchdog is lost: jobs run with the heartbeat alone", extra={"error": repr(error)})


_started: list[Watchdog] = []


def current() -> Watchdog | None:
    """The watchdog of this process, if `start` was called here."""
    return _started[-1] if _started else None


def start(settings: Settings, logger: Logger, backend: Backend | None = None) -> Watchdog | None:
    """Fork the watchdog of this process, which has no other thread yet; None where the system is not Linux."""
    if sys.platform != "linux":
        return None
    backend = backend or warm_backend(settings)
    ours, theirs = Pipe()
    pulse, worker = Pulse(), os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        try:
            _settle_in(theirs.fileno(), worker)
            WatchdogProcess(theirs, WorkerProcess(worker, pulse.age), backend, settings, logger).run()
        except Exception:
            logger.exception("the watchdog ends")
        finally:
            os._exit(0)
    theirs.close()
    made = Watchdog(ours, pulse, pid, logger)
    _started.append(made)
    return made


def warm_backend(settings: Settings) -> Backend:
    """A backend whose clients are made, so that the child need not do it while a node has the CPU."""
    backend = Backend(settings, clients.HEARTBEAT)
    _ = backend.transitions, backend.queue
    return backend


def _settle_in(kept: int, worker: int) -> None:
    """Keep nothing of the worker's, such as pipes that tell others of its end, and end when it ends."""
    gc.freeze()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != worker:
        os._exit(0)  # it has ended before it could be asked for
