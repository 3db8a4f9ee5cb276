"""The heartbeat: a thread that keeps a claim alive and watches for reasons to stop.

It has an OS thread and AWS clients of its own, with short time-outs, so that a node which blocks the event loop
does not cost the job its lease. Each renewal extends first the lease, then the message's visibility to a
little more, so that a redelivery after a crash finds the lease lapsed. A renewal that fails is tried again at
the next look; what protects the log meanwhile is the fence, not the lease. The lease never passes the deadline.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.claims import Claim, Claims
from graphjobs.aws.job_store import JobStore, RowChanged
from graphjobs.aws.queue import JobQueue
from graphjobs.core.job import Job, Status
from graphjobs.core.settings import Settings
from graphjobs.core.times import Clock, now_ms

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

VISIBILITY_MARGIN_SECONDS: Final = 2


class Stop(StrEnum):
    """Why a run is stopped before its graph has ended."""

    CANCELLED = "cancelled"
    FENCED = "fenced"
    TIMED_OUT = "timed_out"
    STEP_LIMIT = "step_limit"
    """A step outlived the function's time."""
    BACKEND = "backend"
    """The log could not be written."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When this invocation must let go of the job, in epoch milliseconds.

    Attributes:
        drain_at: the graph is asked to stop at the next step boundary.
        leave_at: a step that still runs is given up.
    """

    drain_at: int
    leave_at: int


def limits(now: int, remaining_ms: int) -> Limits:
    """The limits of an invocation that has `remaining_ms` left at `now`."""
    drain = min(60_000, remaining_ms // 5)
    leave = min(10_000, remaining_ms // 10)
    return Limits(now + remaining_ms - drain, now + remaining_ms - leave)


def visibility_seconds(settings: Settings) -> int:
    """The visibility of a message whose job's lease was just renewed."""
    return math.ceil(settings.lease_seconds + VISIBILITY_MARGIN_SECONDS)


class Heartbeat:
    """Keeps one claim alive until `stop`."""

    def __init__(
        self,
        claim: Claim,
        *,
        jobs: JobStore,
        claims: Claims,
        queue: JobQueue,
        receipt_handle: str,
        settings: Settings,
        limits: Limits,
        on_drain: Callable[[], None],
        on_stop: Callable[[Stop], None],
        logger: Logger,
        clock: Clock = now_ms,
    ) -> None:
        self._claim = claim
        self._jobs = jobs
        self._claims = claims
        self._queue = queue
        self._receipt_handle = receipt_handle
        self._settings = settings
        self._limits = limits
        self._on_drain = on_drain
        self._on_stop = on_stop
        self._logger = logger
        self._clock = clock
        self._renew_at = clock() + int(settings.heartbeat_seconds * 1000)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until nothing more is sent; before the job is ended or released."""
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(self._pause()):
            stop = self._beat()
            if stop is not None:
                self._ended.set()
                self._on_stop(stop)

    def _pause(self) -> float:
        now = self._clock()
        ahead = (self._claim.job.deadline_at, self._limits.leave_at, self._limits.drain_at, self._renew_at)
        soonest = min((at - now for at in ahead if at > now), default=0)
        return max(0.01, min(self._settings.watch_seconds, soonest / 1000))

    def _beat(self) -> Stop | None:
        now = self._clock()
        if now >= self._claim.job.deadline_at:
            return Stop.TIMED_OUT
        if now >= self._limits.leave_at:
            return Stop.STEP_LIMIT
        if now >= self._limits.drain_at:
            self._on_drain()
        try:
            row = self._renew(now) if now >= self._renew_at else self._jobs.peek(self._claim.job.job_id)
        except RowChanged:
            return Stop.FENCED
        except (ClientError, BotoCoreError) as error:
            self._logger.warning("heartbeat failed, will be tried again", extra={"error": str(error)})
            return None
        return self._verdict(row)

    def _renew(self, now: int) -> Job:
        job = self._claim.job
        lease = self._claims.lease_until(job)
        row = self._jobs.renew(job, lease, self._claims.due_after(lease, job))
        self._renew_at = now + int(self._settings.heartbeat_seconds * 1000)
        self._queue.set_visibility(self._receipt_handle, visibility_seconds(self._settings))
        return row

    def _verdict(self, row: Job | None) -> Stop | None:
        # `peek` may show the row as it was before our claim: an older epoch says nothing.
        if row is None or row.epoch < self._claim.job.epoch:
            return None
        if row.epoch > self._claim.job.epoch or row.status.terminal:
            return Stop.FENCED
        return Stop.CANCELLED if row.status is Status.CANCELLING else None
