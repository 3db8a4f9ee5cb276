"""The note on a job's row that somebody follows it: at open, then once per minute, for all viewers of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graphjobs.core.job import Status
from graphjobs.stream.watchers import EVERY_MS, HOLDS_MS
from tests.support.faults import client_error
from tests.support.stream.app import Connection, Streams, run, streams


@pytest.fixture
def app() -> Iterator[Streams]:
    with streams(heartbeat=0.05) as app:
        yield app


async def more_heartbeats(connection: Connection) -> None:
    """Wait until the stream has looked again."""
    seen = connection.body.count(b": heartbeat")
    await connection.until(lambda c: c.body.count(b": heartbeat") >= seen + 3)


def test_it_is_made_at_open_and_once_per_minute_however_many_follow(app: Streams) -> None:
    async def work() -> None:
        script, other = app.job(), app.job()
        began = app.clock()
        opened = [app.follow(script.job_id) for _ in range(5)]
        await more_heartbeats(opened[0])
        assert app.rows.watched == [(script.job_id, began + HOLDS_MS)]
        app.clock.advance(EVERY_MS / 1000)
        await more_heartbeats(opened[0])
        assert app.rows.watched[1:] == [(script.job_id, began + EVERY_MS + HOLDS_MS)]
        opened.append(app.follow(other.job_id))
        await more_heartbeats(opened[-1])
        assert app.rows.watched[2:] == [(other.job_id, began + EVERY_MS + HOLDS_MS)]
        script.done()
        other.done()
        for stream in opened:
            await stream.end()

    run(work())


def test_the_note_holds_until_after_the_next() -> None:
    assert HOLDS_MS > EVERY_MS + 20_000, "a stream that is silent looks each 15 s"


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_a_job_that_is_over_costs_no_note(app: Streams, status: Status) -> None:
    async def work() -> None:
        script = app.job(status=status)
        script.slot("a")
        script.done()
        for after in (0, 1, 2):
            await app.follow(script.job_id, after=after).end()
        assert app.rows.watched == []

    run(work())


def test_a_note_that_fails_is_not_the_viewers_trouble(app: Streams) -> None:
    async def work() -> None:
        script = app.job()
        stream = await app.follow(script.job_id).until(lambda c: app.rows.watched)
        app.rows.failure = client_error("ThrottlingException")
        app.clock.advance(EVERY_MS / 1000)
        await stream.until(lambda c: len(app.rows.watched) == 2)
        app.rows.failure = None
        script.done("a")
        assert (await stream.end()).events == script.events

    run(work())
