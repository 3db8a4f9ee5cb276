"""The watchdog's own process: looks after a claim while the worker's threads stand still.

As long as the worker's pulse beats, it does nothing. Once it is silent, and the worker is neither stopped nor gone, the
watchdog does what the heartbeat does: it renews the lease and watches the row. When the run must stop, it does what the
heartbeat's thread does for a graph that blocks its loop: it writes the end of the job in the worker's place, and ends
the worker, which could not be stopped in any other way.

A worker that is stopped (SIGSTOP, a debugger) is dead to its job: its lease lapses. One that holds Python's lock and
waits for something is alive; it is bounded by the job's deadline and by the function's time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.backend import Backend
from graphjobs.aws.claims import Claim, Claims
from graphjobs.aws.transition import Contended
from graphjobs.core import outcome as ends
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import Job, Release
from graphjobs.core.settings import Settings
from graphjobs.observability import Metric, record, record_end
from graphjobs.worker.heartbeat import Heartbeat, Lease, Limits, Signals, Stop
from graphjobs.worker.telemetry import metrics

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

LOOK_SECONDS: Final = 0.2
SILENT_SECONDS: Final = 0.8
"""A pulse older than this: no thread runs. It beats four times as often."""

GRACE_SECONDS: Final = 0.4
"""So long the worker may still come to itself. All this and a transaction fit into the two seconds of a cancel."""


@dataclass(frozen=True, slots=True)
class Duty:
    """A claim to look after."""

    claim: Claim
    receipt_handle: str
    limits: Limits


def parent_is_running(pid: int) -> bool:
    """Whether `pid` is still our parent, and neither stopped nor ended."""
    if os.getppid() != pid:
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "TtZX"


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """The process that the watchdog watches.

    Attributes:
        pulse_age: seconds since one of its threads ran.
        is_running: whether it is neither stopped nor gone.
    """

    pid: int
    pulse_age: Callable[[], float]
    kill: Callable[[int, int], object] = os.kill
    is_running: Callable[[int], bool] = parent_is_running

    @property
    def silent(self) -> bool:
        """Whether its threads stand still, though the system would let them run."""
        return self.pulse_age() >= SILENT_SECONDS and self.is_running(self.pid)

    def end(self) -> None:
        """End it, which nothing in it can keep from happening."""
        self.kill(self.pid, signal.SIGKILL)


class WatchdogProcess:
    """Takes duties from `connection`; None there ends one, and is answered once nothing more is sent for it."""

    def __init__(
        self,
        connection: Connection,
        worker: WorkerProcess,
        backend: Backend,
        settings: Settings,
        logger: Logger,
    ) -> None:
        self._connection = connection
        self._worker = worker
        self._backend = backend
        self._settings = settings
        self._logger = logger
        self._claims = Claims(backend.jobs, backend.transitions, settings)

    def run(self) -> None:
        """Until the worker has closed its end."""
        try:
            while True:
                duty = self._connection.recv()
                if duty is None:
                    self._connection.send(None)
                else:
                    self._watch(duty)
        except EOFError:
            return

    def _watch(self, duty: Duty) -> None:
        backend = self._backend
        lease = Lease(duty.claim, self._claims, backend.jobs, backend.queue, duty.receipt_handle, self._settings)
        heartbeat = Heartbeat(lease, duty.limits, Signals(), logger=self._logger)
        look_at = 0.0
        while not self._connection.poll(LOOK_SECONDS):
            if not self._worker.silent or time.monotonic() < look_at:
                continue
            look_at = time.monotonic() + self._settings.watch_seconds - LOOK_SECONDS
            stop = heartbeat.beat()
            if stop is None:
                continue
            if self._connection.poll(GRACE_SECONDS):
                return
            if self._worker.silent:
                self._stop(duty, stop)
                return

    def _stop(self, duty: Duty, stop: Stop) -> None:
        """End the job, or send it on, and the worker's process; but not that if it has come to itself."""
        self._logger.append_keys(job_id=duty.claim.job.job_id)
        try:
            self._settle(duty.claim, stop)
            self._backend.queue.delete(duty.receipt_handle)
        except Fenced:
            record(metrics, Metric.FENCED_WRITES)
            self._logger.warning("fenced: another worker has taken over")
        except (ClientError, BotoCoreError, Contended):
            self._logger.exception("the end of the job could not be written; another worker will do it")
        if metrics.metric_set:
            metrics.flush_metrics()
        if self._worker.silent:
            self._logger.error("a node holds the interpreter: the worker's process is ended", extra={"stop": stop})
            self._worker.end()
        self._logger.remove_keys(["job_id"])

    def _settle(self, claim: Claim, stop: Stop) -> None:
        if stop is Stop.FENCED:
            raise Fenced(claim.job.job_id)
        if stop is Stop.STEP_LIMIT:
            self._send_on(claim)
            return
        outcome = ends.CANCELLED if stop is Stop.CANCELLED else ends.failed(ends.TIMED_OUT)
        self._count(self._claims.finish(claim, outcome, None).job)

    def _send_on(self, claim: Claim) -> None:
        tail = self._backend.log.tail(claim.job.job_id)
        mark = tail.mark if tail is not None else None
        went_on = mark is not None and mark.boundary_seq > claim.tail.last_seq
        self._claims.release(claim, Release.STEP_CUT if went_on else Release.STEP_LIMIT, mark)
        self._backend.queue.send(claim.job.job_id, claim.job.owner)

    def _count(self, job: Job) -> None:
        record_end(metrics, job.status)
        if job.started_at is not None and job.finished_at is not None:
            record(metrics, Metric.RUN_TIME, job.finished_at - job.started_at)
        self._logger.info("finished", extra={"status": job.status.value, "attempt": job.attempt})
