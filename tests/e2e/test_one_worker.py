"""A service whose one worker is busy, and whose streams close after a second."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import GRAPHS, SETTINGS
from tests.e2e.secrets_check import check_no_secret_written
from tests.e2e.user import User, eventually
from tests.e2e.wire import Event, Wire, check_whole
from tests.support.instance import VARIABLE, Target, local_target

pytestmark = pytest.mark.e2e

WINDOW_SECONDS = 1.0
HEARTBEAT_SECONDS = 0.3


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Target]:
    """A local instance with one worker and a short window."""
    if os.environ.get(VARIABLE):
        pytest.skip("the target lacks settings of the test's own")
    settings = {**SETTINGS, "GRAPHJOBS_STREAM_WINDOW_SECONDS": str(WINDOW_SECONDS)}
    settings["GRAPHJOBS_STREAM_HEARTBEAT_SECONDS"] = str(HEARTBEAT_SECONDS)
    with local_target(tmp_path_factory.mktemp("busy"), GRAPHS, workers=1, **settings) as target:
        yield target
        check_no_secret_written(target)


@pytest.fixture
def owner(busy: Target) -> Iterator[User]:
    """The user of that instance."""
    with User(busy) as user:
        yield user


def occupy(owner: User, seconds: float) -> str:
    """A job that the one worker is at; returns when it is."""
    job_id = owner.start(graph="nap", input={"name": "occupier", "seconds": seconds})
    seen = 0
    while seen < 2:  # the window may close while the worker is being replaced
        with owner.stream(job_id) as connection:
            seen = len(connection.until(lambda wire: len(wire.events) >= 2).events)
    return job_id


@dataclass
class BusyPeriod:
    """What was seen while the one worker was at another job, which was then cancelled."""

    cancelled: str
    status_before: str
    cancel_answer: httpx.Response
    waiting: str
    wire: Wire
    clean: bool
    took: float


@pytest.fixture(scope="module")
def period(busy: Target) -> BusyPeriod:
    """Occupy the worker; cancel one job that waits for it, and watch another for as long as a window is."""
    with User(busy) as owner:
        occupier = occupy(owner, 60)
        cancelled, waiting = (owner.start(graph="fast", input={"name": name}) for name in ("never", "patient"))
        status_before = str(owner.status(cancelled)["status"])
        answer = owner.cancel(cancelled)
        began = time.monotonic()
        with owner.stream(waiting) as connection:
            wire = connection.rest()  # an end that is not clean raises
            took = time.monotonic() - began
            clean = connection.body.endswith(b"\nretry: 100\n")
        owner.cancel(occupier)
        assert owner.finished(occupier)[-1]["data"]["status"] == "cancelled"
        return BusyPeriod(cancelled, status_before, answer, waiting, wire, clean, took)


def test_a_queued_job_is_cancelled_on_the_spot_and_never_runs(owner: User, period: BusyPeriod) -> None:
    """Given no free worker, when cancelled, then 200 and `metadata, done`; the worker, free again, leaves it."""
    assert period.status_before == "queued"
    assert period.cancel_answer.status_code == 200
    assert period.cancel_answer.json()["status"] == "cancelled"
    events = owner.finished(period.cancelled)
    assert [event["type"] for event in events] == ["metadata", "done"]
    assert events[1]["data"]["status"] == "cancelled"
    assert owner.cancel(period.cancelled).status_code == 200
    owner.finished(owner.start(graph="fast", input={"name": "later"}))  # the one worker has got past it
    owner.check_log(period.cancelled, events)
    assert owner.status(period.cancelled)["attempt"] == 0


def test_a_silent_stream_is_kept_alive_and_closed_at_its_window(period: BusyPeriod) -> None:
    """Given a job that says nothing yet, then its stream has heartbeats, and ends cleanly by itself."""
    assert period.wire.kinds[0] == period.wire.kinds[-1] == "retry"
    assert set(period.wire.kinds[1:-1]) == {"comment"}
    assert len(period.wire.kinds) <= 2 + WINDOW_SECONDS / HEARTBEAT_SECONDS
    assert period.clean
    assert WINDOW_SECONDS * 0.9 <= period.took <= WINDOW_SECONDS + 5


def test_a_stream_opened_before_the_worker_begins_misses_nothing(owner: User, period: BusyPeriod) -> None:
    """Given a stream that was opened on a queued job, when it is resumed, then the log comes from its first event."""
    events = owner.follow(period.waiting)
    check_whole(events)
    assert events[-1]["data"]["result"]["answer"] == "fast patient"
    owner.check_log(period.waiting, events)


def test_a_connection_ends_cleanly_after_its_window_and_the_client_goes_on(owner: User) -> None:
    """Given a job longer than the window, when a connection is closed in good order, then resuming gives the log."""
    job_id = owner.start(graph="talk", input={"count": 120, "pause": 0.02})
    received: list[Event] = []
    connections = 0
    ended = False
    while not ended:
        opened_at = time.monotonic()
        with owner.stream(job_id, last_event_id=received[-1]["seq"] if received else 0) as connection:
            wire = connection.rest()  # an end that is not clean raises
        received += wire.events
        ended = wire.ended
        assert connection.body.endswith(b"\n\n" if ended else b"\nretry: 100\n"), "an event was cut by the window"
        connections += 1
        assert ended or time.monotonic() - opened_at >= WINDOW_SECONDS * 0.9
    assert connections >= 2
    check_whole(received)
    owner.check_log(job_id, received)


@pytest.mark.parametrize("seconds", [1.2, 30])
def test_a_cancelled_node_leaves_no_trace_in_the_next_job_of_its_worker(owner: User, seconds: float) -> None:
    """Given one worker, when a node that ends soon, or never, is cancelled, then the next job has its own events."""
    cancelled = occupy(owner, seconds)
    assert owner.cancel(cancelled).status_code == 202
    following = owner.start(graph="nap", input={"name": "following", "seconds": 1.5})
    events = owner.finished(cancelled)
    assert events[-1]["data"]["status"] == "cancelled"
    assert "reached" not in {event["type"] for event in events}
    after = owner.finished(following)
    assert after[-1]["data"]["result"]["answer"] == "slept following"
    assert {event["data"]["name"] for event in after if event["type"] in ("awake", "reached")} == {"following"}
    owner.check_log(cancelled, events)


def test_a_worker_that_is_killed_while_it_waits_takes_no_job_with_it(busy: Target, owner: User) -> None:
    """Given a worker that asks for a message and is killed, when a job is sent, then its successor is given it."""
    owner.finished(owner.start(graph="fast", input={"name": "first"}))
    queue = busy.queue
    assert queue is not None
    eventually(queue.drained, "the message of the first job is deleted")
    killed = busy.facts()["pids"]["workers"][0]
    os.kill(killed, signal.SIGKILL)
    # The kernel closes its connections some time after the kill.
    eventually(lambda: not Path(f"/proc/{killed}").exists(), "the killed worker is gone")
    assert owner.finished(owner.start(graph="fast", input={"name": "next"}))[-1]["data"]["status"] == "completed"
