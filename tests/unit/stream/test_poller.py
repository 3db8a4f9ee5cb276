"""The poll loop: one for all streams, slower when silent, backing off when the table is failing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from graphjobs.core.slot import CorruptSlot
from graphjobs.stream import poller as module
from graphjobs.stream.poller import BATCH, FASTEST, SLOWEST
from tests.support.faults import client_error
from tests.support.stream.app import Connection, Streams, run, streams


@pytest.fixture
def app() -> Iterator[Streams]:
    with streams() as app:
        yield app


def test_fifty_viewers_of_one_job_cost_the_reads_of_one(app: Streams) -> None:
    async def work() -> None:
        script = app.job()
        script.slot("a")
        opened = [app.follow(script.job_id) for _ in range(50)]
        for stream in opened:
            await stream.until(lambda c: c.events)
        began, before = time.monotonic(), len(app.log.keys_read)
        await asyncio.sleep(0.4)
        reads = app.log.keys_read[before:]
        assert 1 <= len(reads) <= (time.monotonic() - began) / FASTEST + 2
        assert all(keys == [(script.job_id, 2)] for keys in reads), "and one key a read"
        script.done("b")
        for stream in opened:
            assert (await stream.end()).events == script.events

    run(work())


def test_streams_of_many_jobs_are_read_together(app: Streams) -> None:
    async def work() -> None:
        scripts = [app.job() for _ in range(BATCH + 30)]
        opened = [app.follow(script.job_id) for script in scripts]
        for stream in opened:
            await stream.until(lambda c: c.body)
        began, before = time.monotonic(), len(app.log.keys_read)
        await asyncio.sleep(0.4)
        reads = app.log.keys_read[before:]
        keys = [key for read in reads for key in read]
        assert set(keys) == {(script.job_id, 1) for script in scripts}
        assert max(map(len, reads)) <= BATCH, "what one BatchGetItem takes"
        assert all(len(set(read)) == len(read) for read in reads)
        ticks = (time.monotonic() - began) / FASTEST
        assert len(keys) <= len(scripts) * (ticks + 2)
        for script in scripts:
            script.done()
        for script, stream in zip(scripts, opened, strict=True):
            assert (await stream.end()).events == script.events

    run(work())


def test_a_job_that_is_silent_is_read_seldom(app: Streams) -> None:
    async def work() -> None:
        now = time.monotonic()
        quiet = asyncio.ensure_future(app.service.feed.poller.frame(("job-quiet", 1), now - 60))
        lively = asyncio.ensure_future(app.service.feed.poller.frame(("job-lively", 1), now))
        await asyncio.sleep(SLOWEST * 2.5)
        reads = [key[0] for keys in app.log.keys_read for key in keys]
        elapsed = time.monotonic() - now
        assert 1 <= reads.count("job-quiet") <= elapsed / SLOWEST + 1
        assert reads.count("job-lively") > reads.count("job-quiet")
        for waiting in (quiet, lively):
            waiting.cancel()
        await asyncio.wait({quiet, lively})
        assert not app.service.feed.poller._waits

    run(work())


@pytest.mark.parametrize(("quiet", "believed"), [(0.0, FASTEST), (0.1, 0.08), (3600.0, SLOWEST - FASTEST)])
def test_a_slot_is_not_looked_for_before_its_writer_may_have_written_it(
    app: Streams, monkeypatch: pytest.MonkeyPatch, quiet: float, believed: float
) -> None:
    poller = app.service.feed.poller
    monkeypatch.setattr(poller, "_monotonic", lambda: 1000.0)

    async def work() -> None:
        waiting = asyncio.ensure_future(poller.frame(("job-a", 1), 1000.0, quiet))
        await asyncio.sleep(0)
        assert poller._waits["job-a", 1].due == pytest.approx(1000.0 + believed)
        assert not app.log.calls["read"]
        waiting.cancel()
        await asyncio.wait({waiting})

    run(work())


def test_a_stream_waits_as_long_as_the_slot_says_that_it_was_sent_last(
    app: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, float]] = []
    poller = app.service.feed.poller
    awaited = poller.frame

    async def frame(key: tuple[str, int], since: float, quiet: float = 0.0) -> object:
        asked.append((key[1], quiet))
        return await awaited(key, since, quiet)

    monkeypatch.setattr(poller, "frame", frame)

    async def work() -> None:
        script = app.job()
        script.slot("on a page: nobody knows since when", quiet_ms=3000)
        stream = app.follow(script.job_id)
        await stream.until(lambda c: len(c.events) == 1)
        script.slot("awaited", quiet_ms=150)
        await stream.until(lambda c: len(c.events) == 2)
        script.slot("of an older release")
        await stream.until(lambda c: len(c.events) == 3)
        script.done()
        assert (await stream.end()).events == script.events

    run(work())
    assert list(dict(asked).items()) == [(2, 0.0), (3, 0.15), (4, 0.0)]


@pytest.mark.parametrize(
    ("silence", "interval"), [(0.0, FASTEST), (0.1, FASTEST), (2.0, 0.1), (4.0, SLOWEST), (3600.0, SLOWEST)]
)
def test_the_interval_grows_with_the_silence(silence: float, interval: float) -> None:
    assert module._interval(silence) == pytest.approx(interval)


def test_a_table_that_throttles_is_asked_less_and_less(app: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []

    def longest(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    monkeypatch.setattr("graphjobs.stream.poller.JITTER.uniform", longest)

    async def work() -> None:
        script = app.job()
        stream = app.follow(script.job_id)
        await stream.until(lambda c: app.log.calls["read"])
        before = app.log.calls["read"]
        app.log.failures.extend(client_error("ThrottlingException") for _ in range(5))
        script.done("a")
        assert (await stream.end()).events == script.events
        assert app.log.calls["read"] - before == 6
        assert [low for low, _ in asked] == [FASTEST] * 5, "with jitter"
        assert [high for _, high in asked] == pytest.approx([FASTEST * 2**n for n in (1, 2, 3, 4, 5)])

    run(work())


def test_the_back_off_is_bounded_and_ends_with_the_fault(app: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    poller = app.service.feed.poller
    monkeypatch.setattr("graphjobs.stream.poller.JITTER.uniform", lambda low, high: high)
    poller._failing.times = 50
    assert poller._failing.backoff() == 2.0

    async def work() -> None:
        script = app.job()
        script.done()
        await poller.frame((script.job_id, 1), time.monotonic())

    run(work())
    assert poller._failing.times == 0


def test_a_key_that_was_not_answered_is_asked_again_and_not_taken_for_absent(
    app: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def shortest(low: float, high: float) -> float:
        waited.append(high)
        return low

    monkeypatch.setattr("graphjobs.stream.poller.JITTER.uniform", shortest)

    async def work() -> None:
        script = app.job()
        stream = app.follow(script.job_id)
        await stream.until(lambda c: app.log.calls["read"])
        app.log.withheld[script.job_id, 1] = 4
        script.done("a")
        assert (await stream.end()).events == script.events
        assert len(waited) == 4, "each unanswered key backs off"

    run(work())


def test_a_key_that_is_not_answered_holds_up_no_other(app: Streams) -> None:
    async def work() -> None:
        held, free = app.job(), app.job()
        app.log.withheld[held.job_id, 1] = 10**6
        streams_ = [app.follow(held.job_id), app.follow(free.job_id)]
        await streams_[1].until(lambda c: app.log.calls["read"])
        held.done()
        free.done()
        assert (await streams_[1].end()).events == free.events
        assert not streams_[0].events
        app.log.withheld.clear()
        assert (await streams_[0].end()).events == held.events

    run(work())


def test_a_read_that_breaks_ends_the_streams_that_waited_for_it_and_no_later_one(app: Streams) -> None:
    async def work() -> None:
        script = app.job()
        stream = app.follow(script.job_id)
        await stream.until(lambda c: app.log.calls["read"])
        app.log.failures.append(CorruptSlot("not what it says"))
        assert (await stream.end()).complete
        script.done()
        assert (await app.follow(script.job_id).end()).events == script.events

    run(work())


def test_a_viewer_that_comes_while_others_wait_is_served_too(app: Streams) -> None:
    async def work() -> None:
        script = app.job()
        opened: list[Connection] = []
        for _ in range(5):
            opened.append(app.follow(script.job_id))
            await opened[-1].until(lambda c: c.body)
            await asyncio.sleep(FASTEST)
        await opened[0].leave()
        script.done("a")
        for stream in opened[1:]:
            assert (await stream.end()).events == script.events

    run(work())
