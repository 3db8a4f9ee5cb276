"""The heartbeat: a thread that keeps a claim alive and watches for reasons to stop.

It has an OS thread and AWS clients of its own, with short time-outs, so that a node which blocks the event loop
does not cost the job its lease. One that holds Python's lock stops this thread too: then the `watchdog` does its work.
Each renewal extends first the lease, then the message's visibility to a little more, so that a redelivery after a crash
finds the lease lapsed. A renewal that fails is tried again at the next look; what protects the log meanwhile is the
fence, not the lease. The lease never passes the deadline.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

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
VIEWER_COMES_MS: Final = 2_000
"""So long after a claim somebody may be about to follow: who has submitted a job opens its stream at once."""


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
    """When this invocation must release the job, in epoch milliseconds.

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


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim and what keeps it: AWS clients with short time-outs, and the message that has to stay hidden."""

    claim: Claim
    claims: Claims
    jobs: JobStore
    queue: JobQueue
    receipt_handle: str
    settings: Settings

    def peek(self) -> Job | None:
        """The row as an eventually consistent read shows it."""
        return self.jobs.peek(self.claim.job.job_id)

    def renew(self) -> Job:
        """Extend the lease; the row as it is then.

        Raises:
            RowChanged: the claim is no longer in force.
        """
        job = self.claim.job
        until = self.claims.lease_until(job)
        return self.jobs.renew(job, until, self.claims.due_after(until, job))

    def hide(self) -> None:
        """Keep the message hidden a little longer than the lease."""
        self.queue.set_visibility(self.receipt_handle, visibility_seconds(self.settings))


def out_of_time(now: int, claim: Claim, limits: Limits) -> Stop | None:
    """Why the run must stop at `now`, if it must."""
    if now >= claim.job.deadline_at:
        return Stop.TIMED_OUT
    return Stop.STEP_LIMIT if now >= limits.leave_at else None


def watch(row: Job | None, claim: Claim) -> Stop | None:
    """Why the run must stop in view of `row`, if it must. `row` may be older than the claim, and then says nothing."""
    if row is None or row.epoch < claim.job.epoch:
        return None
    if row.epoch > claim.job.epoch or row.status.terminal:
        return Stop.FENCED
    return Stop.CANCELLED if row.status is Status.CANCELLING else None


def is_watched(row: Job | None, now: int, since: int) -> bool:
    """Whether somebody may be following the job at `now`; its claim is of `since`."""
    noted = row.watched_until if row is not None else None
    return now < max(since + VIEWER_COMES_MS, noted or 0)


class Standby(Protocol):
    """What does the heartbeat's work while its thread cannot run (`watchdog`)."""

    def begin(self, claim: Claim, receipt_handle: str, limits: Limits) -> None:
        """Look after a claim."""

    def end(self) -> None:
        """No longer; nothing is sent for it any more when this returns. May be called again."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What a heartbeat tells the run whose claim it keeps, on the heartbeat's thread.

    Attributes:
        drain: at each look once the invocation comes to its end.
        stop: why the run must stop; at most once.
        watch: at each look, whether somebody may be following the job.
    """

    drain: Callable[[], object] = lambda: None
    stop: Callable[[Stop], object] = lambda reason: None
    watch: Callable[[bool], object] = lambda watched: None


class Heartbeat:
    """Keeps one claim alive until `stop`."""

    def __init__(
        self,
        lease: Lease,
        limits: Limits,
        signals: Signals,
        *,
        logger: Logger,
        clock: Clock = now_ms,
        standby: Standby | None = None,
    ) -> None:
        self._standby = standby
        self._lease = lease
        self._since = clock()
        self._limits = limits
        self._signals = signals
        self._logger = logger
        self._clock = clock
        self._renew_at = self._next_renewal(clock())  # from now on by the heartbeat's thread alone
        self._ended = threading.Event()  # by the thread that calls `stop`, or by the heartbeat's that has told of one
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        if self._standby is not None:
            self._standby.begin(self._lease.claim, self._lease.receipt_handle, self._limits)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until nothing more is sent; before the job is ended or released."""
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        if self._standby is not None:
            self._standby.end()

    def beat(self) -> Stop | None:
        """One look, and a renewal if it is time for one; why the run must stop, if it must."""
        now = self._clock()
        stop = out_of_time(now, self._lease.claim, self._limits)
        if stop is not None:
            return stop
        if now >= self._limits.drain_at:
            self._signals.drain()
        try:
            row = self._renew(now) if now >= self._renew_at else self._lease.peek()
        except RowChanged:
            return Stop.FENCED
        except (ClientError, BotoCoreError) as error:
            self._logger.warning("heartbeat failed, will be tried again", extra={"error": str(error)})
            return None
        self._signals.watch(is_watched(row, now, self._since))
        return watch(row, self._lease.claim)

    def _work(self) -> None:
        while not self._ended.wait(self._pause()):
            stop = self.beat()
            if stop is not None:
                self._ended.set()
                self._signals.stop(stop)

    def _pause(self) -> float:
        now = self._clock()
        ahead = (self._lease.claim.job.deadline_at, self._limits.leave_at, self._limits.drain_at, self._renew_at)
        soonest = min((at - now for at in ahead if at > now), default=0)
        return max(0.01, min(self._lease.settings.watch_seconds, soonest / 1000))

    def _renew(self, now: int) -> Job:
        row = self._lease.renew()
        self._renew_at = self._next_renewal(now)
        self._lease.hide()
        return row

    def _next_renewal(self, now: int) -> int:
        return now + int(self._lease.settings.heartbeat_seconds * 1000)
