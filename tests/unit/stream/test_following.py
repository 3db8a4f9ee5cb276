"""Following a job: replay, tail, heartbeat, window, and clients that are slow or leave."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from graphjobs.stream.pages import PAGE_SLOTS
from graphjobs.testing import MemoryLog
from tests.support.stream.app import Connection, Streams, run, streams


def _seen(number: int) -> Callable[[Connection], bool]:
    return lambda connection: len(connection.events) >= number


def test_a_finished_log_is_replayed_whole_and_closed() -> None:
    async def work(app: Streams) -> None:
        script = app.long_job(5 * PAGE_SLOTS + 3)
        stream = await app.follow(script.job_id).end()
        assert stream.events == script.events and stream.complete
        assert stream.body.endswith(b"\n\n") and stream.body.count(b"retry: ") == 1, "nothing follows `done`"
        assert app.log.calls == Counter(following=6), "one page at a time, and none after the end"

    with streams() as app:
        run(work(app))


def test_events_are_sent_as_they_are_written() -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        stream = app.follow(script.job_id)
        await stream.until(lambda c: c.started.is_set())
        for number in range(1, 6):
            script.slot(f"text {number}")
            await stream.until(_seen(number))
            assert not stream.complete
        script.done("last")
        await stream.end()
        assert stream.events == script.events and stream.complete
        assert app.sink.flushed[-1]["DeliveryLag"] >= 0

    with streams() as app:
        run(work(app))


def test_a_cancelled_or_failed_job_ends_the_stream_as_a_completed_one_does() -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        script.slot("a")
        stream = app.follow(script.job_id, after=1)
        await stream.until(lambda c: c.body)
        script.done()
        assert (await stream.end()).complete
        assert [event["type"] for event in stream.events] == ["done"]

    with streams() as app:
        run(work(app))


def test_a_silent_stream_has_a_heartbeat() -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        script.slot("a")
        stream = app.follow(script.job_id)
        await stream.until(lambda c: c.body.count(b": heartbeat\n") >= 3)
        script.done()
        assert (await stream.end()).events == script.events

    with streams(heartbeat=0.03) as app:
        run(work(app))


def test_a_stream_is_closed_cleanly_at_the_windows_end() -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        script.slot("a")
        stream = await app.follow(script.job_id).end()
        assert stream.complete and stream.events == script.events
        assert stream.body.startswith(b"retry: 1000\n") and stream.body.endswith(b"\nretry: 100\n"), "come back soon"
        script.done()
        resumed = await app.follow(script.job_id, after=1).end()
        assert stream.events + resumed.events == script.events

    with streams(window=0.1) as app:
        run(work(app))


def test_the_window_ends_also_while_a_client_is_still_catching_up() -> None:
    """On AWS the function's own end would cut it instead."""

    async def work(app: Streams) -> None:
        script = app.long_job(200 * PAGE_SLOTS)
        stream = app.follow(script.job_id)
        stream.pause = 0.05
        await stream.end()
        assert stream.complete and stream.body.endswith(b"\n\nretry: 100\n")
        assert PAGE_SLOTS <= len(stream.events) < len(script.events)
        assert stream.events == script.events[: len(stream.events)]

    with streams(window=0.2) as app:
        run(work(app))


def test_every_window_however_short_brings_a_client_forward() -> None:
    async def work(app: Streams) -> None:
        script = app.long_job(3 * PAGE_SLOTS)
        events = (await app.follow(script.job_id).end()).events
        assert events
        while len(events) < len(script.events):
            more = (await app.follow(script.job_id, after=len(events)).end()).events
            assert more
            events += more
        assert events == script.events

    with streams(window=0.0) as app:
        run(work(app))


def test_a_client_that_takes_nothing_is_let_go_and_costs_one_page() -> None:
    async def work(app: Streams) -> None:
        script = app.long_job(50 * PAGE_SLOTS)
        stream = app.follow(script.job_id)
        await stream.until(lambda c: c.events)
        stream.reading.clear()
        read = app.log.calls["following"]
        await stream.end()
        assert app.log.calls["following"] - read <= 1
        assert not stream.complete and app.service.open_streams == 0
        assert stream.task.exception() is None
        received = len(stream.events)
        rest = await app.follow(script.job_id, after=received).end()
        assert stream.events + rest.events == script.events

    with streams(slow_reader=0.2) as app:
        run(work(app))


def test_a_client_that_reads_slowly_is_served_to_the_end() -> None:
    async def work(app: Streams) -> None:
        script = app.long_job(4 * PAGE_SLOTS)
        stream = app.follow(script.job_id)
        stream.pause = 0.02
        assert (await stream.end()).events == script.events

    with streams(slow_reader=5.0) as app:
        run(work(app))


def test_nothing_is_read_for_a_client_that_has_gone() -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        stream = app.follow(script.job_id)
        await stream.until(lambda c: app.log.calls["read"] >= 2)
        assert app.service.open_streams == 1
        await stream.leave()
        assert app.service.open_streams == 0 and not app.service.feed.poller._waits
        for _ in range(20):  # a read may have been under way, on a busy machine for long
            before = app.log.calls["read"]
            await asyncio.sleep(0.15)
            if app.log.calls["read"] == before:
                break
        else:
            pytest.fail("it is read on and on")
        assert app.sink.flushed[-1]["OpenStreams"] == 1

    with streams() as app:
        run(work(app))


def test_a_client_that_goes_while_it_is_held_up_is_let_go_at_once() -> None:
    async def work(app: Streams) -> None:
        script = app.long_job(10 * PAGE_SLOTS)
        stream = app.follow(script.job_id)
        await stream.until(lambda c: c.events)
        stream.reading.clear()
        stream.gone.set()
        await stream.end()  # within its patience: far from the slow reader's time
        assert app.service.open_streams == 0

    with streams(slow_reader=3600.0, window=3600.0) as app:
        run(work(app))


def test_two_clients_of_one_job_go_their_own_ways() -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        script.slot("a", "b")
        first, second = app.follow(script.job_id), app.follow(script.job_id, after=1)
        await first.until(lambda c: len(c.events) == 2)
        await second.until(lambda c: len(c.events) == 1)
        await second.leave()
        script.done("c")
        assert (await first.end()).events == script.events
        third = await app.follow(script.job_id, after=2).end()
        assert third.events == script.events[2:]

    with streams() as app:
        run(work(app))


def test_reads_beside_the_event_loop_give_the_same() -> None:
    async def work(app: Streams) -> None:
        scripts = [app.job() for _ in range(20)]
        opened: list[Connection] = [app.follow(script.job_id) for script in scripts]
        for number in range(15):
            for script in scripts:
                script.slot(*[f"text {number}"] * (1 + number % 3))
            await asyncio.sleep(0)
        for script in scripts:
            script.done()
        for script, stream in zip(scripts, opened, strict=True):
            assert (await stream.end()).events == script.events

    with streams(threads=4) as app:
        assert isinstance(app.log, MemoryLog)
        run(work(app))
