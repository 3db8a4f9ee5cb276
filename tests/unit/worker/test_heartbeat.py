"""The heartbeat: keeps the lease, watches the row, stops when told and never renews past the deadline."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from graphjobs.aws.claims import Claim, Claims
from graphjobs.aws.job_store import RowChanged
from graphjobs.aws.queue import JobQueue
from graphjobs.core.job import Job, Status
from graphjobs.core.settings import Settings
from graphjobs.testing import MemoryLog, MemoryQueue
from graphjobs.testing.clock import START, FakeClock
from graphjobs.worker.heartbeat import (
    VIEWER_COMES_MS,
    VISIBILITY_MARGIN_SECONDS,
    Heartbeat,
    Lease,
    Limits,
    Signals,
    Stop,
    is_watched,
)
from tests.support.faults import FAULTS, client_error
from tests.support.worker.writing import claim

WAIT = 20
SETTINGS = replace(Settings(), watch_seconds=0.01, lease_seconds=45.0, heartbeat_seconds=15.0)


@dataclass
class Body:
    """A heartbeat and all that it touches."""

    held: Claim
    clock: FakeClock = field(default_factory=FakeClock)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    row: Job | None = None
    error: Exception | None = None
    calls: list[tuple[str, int]] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    watched: list[bool] = field(default_factory=list)
    drains: int = 0
    limits: Limits = field(default_factory=lambda: Limits(START + 10**9, START + 10**9))
    stopped: threading.Event = field(default_factory=threading.Event)
    _called: threading.Condition = field(default_factory=threading.Condition)

    def peek(self, job_id: str) -> Job | None:
        self._note("peek", 0)
        return self.row

    def renew(self, job: Job, lease_until: int, due_at: int) -> Job | None:
        self.queue.calls.append(("lease", lease_until))
        self._note("renew", lease_until)
        return self.row

    def _note(self, call: str, lease_until: int) -> None:
        with self._called:
            self.calls.append((call, lease_until))
            self._called.notify_all()
        if self.error is not None:
            raise self.error

    def saw(self, call: str, more: int = 1) -> None:
        """Wait until `call` was made `more` times from now on."""
        with self._called:
            wanted = self.count(call) + more
            assert self._called.wait_for(lambda: self.count(call) >= wanted, WAIT)

    def count(self, call: str) -> int:
        return sum(1 for made, _ in self.calls if made == call)

    def on_drain(self) -> None:
        self.drains += 1

    def on_stop(self, reason: Stop) -> None:
        self.stops.append(reason)
        self.stopped.set()

    def start(self) -> Heartbeat:
        self.row = self.row or self.held.job
        stores: Any = self
        queue = JobQueue(self.queue, "queue")  # type: ignore[arg-type]
        made = Heartbeat(
            Lease(self.held, Claims(stores, stores, SETTINGS, clock=self.clock), stores, queue, "receipt", SETTINGS),
            self.limits,
            Signals(self.on_drain, self.on_stop, self.watched.append),
            logger=Logger(service="heartbeat-test", level="CRITICAL"),
            clock=self.clock,
        )
        made.start()
        beating.append(made)
        return made


beating: list[Heartbeat] = []


@pytest.fixture
def body() -> Iterator[Body]:
    yield Body(claim(MemoryLog()))
    while beating:
        beating.pop().stop()


def test_it_looks_often_and_renews_when_it_is_time(body: Body) -> None:
    body.start()
    body.saw("peek", 3)
    assert body.count("renew") == 0
    body.clock.advance(SETTINGS.heartbeat_seconds)
    body.saw("renew")
    body.saw("peek", 2)
    assert body.count("renew") == 1
    assert body.calls[[call for call, _ in body.calls].index("renew")][1] == body.clock() + 45_000


def test_it_extends_the_lease_before_the_visibility_and_the_latter_a_little_more(body: Body) -> None:
    body.start()
    body.clock.advance(SETTINGS.heartbeat_seconds)
    body.saw("renew")
    body.saw("peek")
    lease, visibility = body.queue.calls
    assert lease[0] == "lease" and visibility == ("visibility", "receipt", 45 + VISIBILITY_MARGIN_SECONDS)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_backend_that_fails_for_a_while_costs_nothing(body: Body, fault: str) -> None:
    body.start()
    body.error = FAULTS[fault]()
    body.clock.advance(SETTINGS.heartbeat_seconds)
    body.saw("renew", 3)
    assert body.queue.sent == [] and body.stops == []
    body.error = None
    body.saw("renew")
    body.saw("peek", 2)
    assert body.stops == []


def test_a_visibility_that_cannot_be_changed_is_no_reason_to_stop(body: Body) -> None:
    body.queue.fail_visibility = client_error("InternalServerError", 500)
    body.start()
    body.clock.advance(SETTINGS.heartbeat_seconds)
    body.saw("renew")
    body.saw("peek", 2)
    assert body.stops == []


def test_the_lease_is_never_renewed_past_the_deadline(body: Body) -> None:
    body.start()
    body.clock.now = body.held.job.deadline_at - 10_000
    body.saw("renew")
    assert {lease for call, lease in body.calls if call == "renew"} == {body.held.job.deadline_at}
    body.clock.now = body.held.job.deadline_at
    assert body.stopped.wait(WAIT)
    renewals = body.count("renew")
    assert body.stops == [Stop.TIMED_OUT]
    body.clock.advance(3600)
    beating[0].stop()
    assert body.count("renew") == renewals


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        ({"status": Status.CANCELLING}, Stop.CANCELLED),
        ({"epoch": 2}, Stop.FENCED),
        ({"epoch": 2, "status": Status.CANCELLING}, Stop.FENCED),
        ({"status": Status.COMPLETED}, Stop.FENCED),
    ],
)
@pytest.mark.parametrize("renewing", [True, False])
def test_what_the_row_says_is_acted_on_once(body: Body, changes: dict[str, Any], stop: Stop, renewing: bool) -> None:
    body.start()
    body.saw("peek")
    if renewing:
        body.clock.advance(SETTINGS.heartbeat_seconds)
    body.row = replace(body.held.job, **changes)
    assert body.stopped.wait(WAIT)
    beating[0].stop()
    assert body.stops == [stop]


def test_a_renewal_that_is_refused_means_fenced(body: Body) -> None:
    body.start()
    body.error = RowChanged("job")
    body.clock.advance(SETTINGS.heartbeat_seconds)
    assert body.stopped.wait(WAIT)
    assert body.stops == [Stop.FENCED]


@pytest.mark.parametrize("old", [True, False], ids=["an older row", "no row"])
def test_a_look_at_an_older_row_says_nothing(body: Body, old: bool) -> None:
    """An eventually consistent read may show the row as it was before our claim."""
    body.start()
    body.row = replace(body.held.job, epoch=0, status=Status.CANCELLING) if old else None
    body.saw("peek", 3)
    assert body.stops == []


def test_it_drains_first_and_gives_up_later(body: Body) -> None:
    body.limits = Limits(START + 1_000, START + 2_000)
    body.start()
    body.saw("peek", 2)
    assert body.drains == 0
    body.clock.advance(1)
    body.saw("peek", 2)
    assert body.drains > 0 and body.stops == []
    body.clock.advance(1)
    assert body.stopped.wait(WAIT)
    assert body.stops == [Stop.STEP_LIMIT]


def test_once_stopped_it_sends_nothing_more(body: Body) -> None:
    heartbeat = body.start()
    body.saw("peek")
    heartbeat.stop()
    before = len(body.calls)
    body.clock.advance(3600)
    heartbeat.stop()
    assert len(body.calls) == before
    assert not heartbeat._thread.is_alive()


def test_it_tells_at_each_look_whether_somebody_follows(body: Body) -> None:
    body.start()
    body.saw("peek", 3)
    assert set(body.watched) == {True}, "who has submitted the job may be about to"
    body.clock.advance(VIEWER_COMES_MS / 1000)
    body.saw("peek", 3)
    assert body.watched[-1] is False
    body.row = replace(body.held.job, watched_until=body.clock() + 1)
    body.saw("peek", 3)
    assert body.watched[-1] is True
    body.clock.advance(0.001)
    body.saw("peek", 3)
    assert body.watched[-1] is False


@pytest.mark.parametrize(
    ("noted", "now", "watched"),
    [(None, 1_999, True), (None, 2_000, False), (500, 2_000, False), (2_001, 2_000, True), (9_000, 2_000, True)],
)
def test_a_note_and_the_first_seconds_count(noted: int | None, now: int, watched: bool) -> None:
    row = replace(claim(MemoryLog()).job, watched_until=noted)
    assert is_watched(row, now, since=0) is watched


def test_without_a_row_the_first_seconds_count() -> None:
    assert is_watched(None, 1_999, since=0) and not is_watched(None, 2_000, since=0)
