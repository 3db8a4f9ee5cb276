"""Every client gets exactly the log, however many there are and whatever happens to their connections."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from graphjobs.client.client import Client
from tests.e2e.user import User, at, ticket_in
from tests.e2e.wire import Event, check_whole
from tests.support.instance import Target

pytestmark = pytest.mark.e2e

QUESTION = "환불 정책 알려줘"
CUTS = 50
SEED = 20_261


def test_twenty_jobs_at_once_each_give_their_viewer_exactly_their_log(target: Target) -> None:
    """Given 20 users' jobs submitted together, then each viewer has 1..n, `metadata` first, `done` last."""

    def one(number: int) -> tuple[str, list[Event]]:
        with User(target) as user:
            job_id = user.start(query=f"{QUESTION} {number}")
            return job_id, user.follow(job_id)

    with ThreadPoolExecutor(20) as pool:
        watched = list(pool.map(one, range(20)))
    assert len({job_id for job_id, _ in watched}) == 20
    with User(target) as user:
        for number, (job_id, events) in enumerate(watched):
            check_whole(events)
            user.check_log(job_id, events)
            assert events[-1]["data"]["status"] == "completed"
            assert str(number) in str(events), "the events are of another job"


def test_fifty_cuts_at_random_bytes_lose_and_repeat_nothing(user: User) -> None:
    """Given a live stream that is cut 50 times anywhere, when each time resumed, then the pieces are the log."""
    chance = random.Random(SEED)
    job_id = user.start(query=QUESTION, graph="report", input={"sections": 12})
    received: list[Event] = []
    progress = 0
    for cut in range(CUTS):
        last = received[-1]["seq"] if received else 0
        where = "last_event_id" if cut % 2 else "after"
        with user.stream(job_id, **at(where, last)) as connection:
            assert connection.response.status_code == 200
            piece = connection.cut_after(chance.randint(1, 2_000)).events
        assert not piece or piece[0]["seq"] == last + 1
        progress += bool(piece)
        received += piece
        assert received[-1:] == [] or received[-1]["type"] != "done", "the job is too short for its cuts"
    assert progress > CUTS / 2
    received += user.follow(job_id, after=received[-1]["seq"])
    check_whole(received)
    user.check_log(job_id, received)


def test_two_viewers_of_one_job_at_different_cursors_do_not_disturb_each_other(target: Target, user: User) -> None:
    """Given a running job, when one viewer starts at 0 and one further on, then each has the log from there."""
    job_id = user.start(query=QUESTION, graph="report", input={"sections": 3})
    with user.stream(job_id) as ahead, User(target) as other:
        seen = ahead.until(lambda wire: len(wire.events) >= 10).events[9]["seq"]
        with other.stream(job_id, last_event_id=seen) as behind, ThreadPoolExecutor(2) as pool:
            wires = list(pool.map(lambda connection: connection.until(lambda w: w.ended), (ahead, behind)))
    whole = wires[0].events
    check_whole(whole)
    assert wires[1].events == whole[seen:]
    user.check_log(job_id, whole)


def test_a_stream_resumes_at_every_cursor_also_in_the_middle_of_a_slot(user: User) -> None:
    """Given a finished log, when opened after each of its events, then exactly the rest comes."""
    if "talk" in user.target.graphs:
        job_id = user.start(graph="talk", input={"count": 24, "pause": 0})
    else:
        job_id = user.start(query=QUESTION)
    events = user.finished(job_id)
    if user.target.tables:
        starts = user.target.tables.slot_starts(job_id)
        assert len(starts) < len(events), "every slot holds one event: no cursor is in the middle of one"
    for after in range(len(events)):
        where = "last_event_id" if after % 2 else "after"
        with user.stream(job_id, **at(where, after)) as connection:
            assert connection.rest().events == events[after:]


def test_a_stream_begins_with_retry_and_forbids_caches_and_referrers(user: User) -> None:
    job_id = user.start(query=QUESTION)
    with user.stream(job_id) as connection:
        assert connection.response.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in connection.response.headers["cache-control"]
        assert connection.response.headers["referrer-policy"] == "no-referrer"
        assert connection.until(lambda wire: wire.ended).kinds[:2] == ["retry", "event"]


def test_who_has_seen_the_terminal_event_is_told_that_nothing_follows(user: User) -> None:
    """Given all has been seen, when the stream is opened again, then 204, at which an EventSource stops."""
    job_id = user.start(query=QUESTION)
    last = user.follow(job_id)[-1]["seq"]
    by_ticket: dict[str, Any] = {"headers": {}, "params": {"ticket": ticket_in(user.ticket_url(job_id))}}
    for credentials in ({}, by_ticket):
        for cursor in ("last_event_id", "after"):
            with user.stream(job_id, **at(cursor, last), **credentials) as connection:
                assert connection.response.status_code == 204
                assert connection.rest().kinds == []
            with user.stream(job_id, **at(cursor, last - 1), **credentials) as connection:
                assert [event["type"] for event in connection.rest().events] == ["done"]


def test_the_client_library_gives_the_same_log(user: User) -> None:
    """Given a running job, when the client library follows and leaves and resumes it, then it gives the log."""
    job_id = user.start(query=QUESTION)
    token = user.target.token("user-1")
    with Client(user.target.api_url, token, stream_url=user.target.stream_url) as client:
        events = client.stream(job_id)
        received = [dict(next(events)) for _ in range(7)]
        events.close()
        received += map(dict, client.stream(job_id, after=7))
    check_whole(received)
    user.check_log(job_id, received)


def test_a_status_agrees_with_the_log(user: User) -> None:
    job_id = user.start(query=QUESTION)
    events = user.finished(job_id)
    status = user.status(job_id)
    assert status["status"] == "completed"
    assert status["last_seq"] == len(events)
    assert status["result"] == events[-1]["data"]["result"]
    assert status["error"] is None
    assert status["attempt"] == 1
    tokens = "".join(event["data"]["text"] for event in events if event["type"] == "token")
    assert tokens.strip(), "a chat answer comes as tokens"
    assert tokens in str(status["result"]) or tokens == status["result"].get("answer")
