"""A slot that cannot be read, or whose body S3 does not give: it concerns the streams of its job and nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import BotoCoreError, IncompleteReadError

from graphjobs.core.slot import CorruptSlot
from graphjobs.stream import poller
from tests.support.faults import FAULTS, client_error
from tests.support.stream.app import Connection, Streams, run, streams
from tests.support.stream.script import Script

Spoil = Callable[[Streams, Script], None]
FOR_GOOD: dict[str, Callable[[], Exception]] = {
    "no object": lambda: client_error("NoSuchKey", 404),
    "not allowed": lambda: client_error("AccessDenied", 403),
    "no text": lambda: CorruptSlot("the body is no text"),
}
PASSING: dict[str, Callable[[], BotoCoreError | Exception]] = {
    **FAULTS,
    "slow down": lambda: client_error("SlowDown", 503),
    "cut short": lambda: IncompleteReadError(actual_bytes=1, expected_bytes=2),
}


@pytest.fixture(autouse=True)
def read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are read in turns are soon read together: by chance alone it may take as long as a test is given."""
    monkeypatch.setattr(poller, "TOGETHER", poller.FASTEST)


@pytest.fixture
def app() -> Iterator[Streams]:
    with streams() as app:
        yield app


def raising(error: Callable[[], Exception]) -> Callable[[], object]:
    def fail() -> None:
        raise error()

    return fail


def second_slot_corrupt(app: Streams, script: Script) -> None:
    app.log.corrupt.add((script.job_id, 2))


def second_slot_missing_in_s3(app: Streams, script: Script) -> None:
    app.log.in_s3[script.job_id, 2] = raising(FOR_GOOD["no object"])


async def waiting_together(app: Streams, *scripts: Script) -> list[Connection]:
    """A stream for each job, all waiting for its second slot, so that one read is for all of them."""
    opened = []
    for script in scripts:
        script.slot("a")
        opened.append(app.follow(script.job_id))
        await opened[-1].until(lambda c: c.events)
    keys = {(script.job_id, 2) for script in scripts}
    await opened[0].until(lambda c: any(keys <= set(read) for read in app.log.keys_read))
    return opened


@pytest.mark.parametrize("spoil", [second_slot_corrupt, second_slot_missing_in_s3])
def test_one_slot_that_cannot_be_read_ends_the_streams_of_its_job_alone(app: Streams, spoil: Spoil) -> None:
    async def work() -> None:
        bad, good = app.job(), app.job()
        first, second = await waiting_together(app, bad, good)
        also = app.follow(bad.job_id, after=1)
        await also.until(lambda c: c.body)
        spoil(app, bad)
        bad.slot("unreadable")
        for stream in (await first.end(), await also.end()):
            assert stream.complete and stream.body.endswith(b": come back\n")
            assert stream.body.count(b"retry: ") == 1, "no hurry after a fault"
        assert first.events == bad.events[:1] and not second.complete
        good.done("b")
        assert (await second.end()).events == good.events and b"come back" not in second.body
        assert not app.service.feed.poller._waits

    run(work())


@pytest.mark.parametrize("fault", FOR_GOOD)
def test_a_body_that_will_never_come_closes_its_streams_at_once(app: Streams, fault: str) -> None:
    async def work() -> None:
        script = app.job()
        (stream,) = await waiting_together(app, script)
        app.log.in_s3[script.job_id, 2] = raising(FOR_GOOD[fault])
        script.slot("b")
        assert (await stream.end()).events == script.events[:1]
        assert app.log.calls["whole"] == 1

    run(work())


@pytest.mark.parametrize("fault", PASSING)
def test_a_body_that_does_not_come_for_a_moment_is_not_noticed(app: Streams, fault: str) -> None:
    async def work() -> None:
        script = app.job()
        (stream,) = await waiting_together(app, script)
        left = [PASSING[fault]] * 3
        app.log.in_s3[script.job_id, 2] = lambda: raising(left.pop())() if left else None
        script.done("b")
        assert (await stream.end()).events == script.events
        assert app.log.calls["whole"] == 4 and b"come back" not in stream.body

    run(work())


def test_a_body_that_does_not_come_for_long_closes_its_streams(app: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.stream.poller.GIVE_UP_AFTER", 0.05)

    async def work() -> None:
        bad, good = app.job(), app.job()
        first, second = await waiting_together(app, bad, good)
        app.log.in_s3[bad.job_id, 2] = raising(PASSING["slow down"])
        bad.slot("b")
        assert (await first.end()).complete and app.log.calls["whole"] > 1
        good.done()
        assert (await second.end()).events == good.events
        app.log.in_s3.clear()
        bad.done()
        resumed = await app.follow(bad.job_id, after=1).end()
        assert first.events + resumed.events == bad.events

    run(work())


def test_nobody_else_waits_for_a_slow_body_and_it_is_fetched_once_for_all() -> None:
    answer = threading.Event()

    async def work(app: Streams) -> None:
        slow, quick = app.job(), app.job()
        first, second = await waiting_together(app, slow, quick)
        others = [app.follow(slow.job_id, after=1) for _ in range(10)]
        for stream in others:
            await stream.until(lambda c: c.body)
        app.log.in_s3[slow.job_id, 2] = lambda: answer.wait(20)
        slow.done("b")
        await first.until(lambda c: app.log.calls["whole"])
        quick.done("b")
        assert (await second.end()).events == quick.events, "while S3 still has not answered"
        assert not first.complete
        answer.set()
        assert (await first.end()).events == slow.events
        for stream in others:
            assert (await stream.end()).events == slow.events[1:]
        assert app.log.calls["whole"] == 1

    with streams(threads=4) as app:
        try:
            run(work(app))
        finally:
            answer.set()


@pytest.mark.parametrize("line", ["", "no event", '{"seq":2,"type":', '{"seq":2,"type":"x"}'])
def test_lines_that_are_no_events_close_the_stream_cleanly(app: Streams, line: str) -> None:
    async def work() -> None:
        script = app.job()
        (stream,) = await waiting_together(app, script)
        app.log.append(script.foreign(line))
        await stream.end()
        assert stream.complete and stream.events == script.events[:1] and stream.task.exception() is None

    run(work())
