"""A backend that fails or lags under an open stream: a clean close or nothing at all, and never a gap."""

from __future__ import annotations

import pytest

from graphjobs.stream.pages import PAGE_SLOTS
from tests.support.faults import FAULTS, client_error
from tests.support.stream.app import Streams, run, streams
from tests.support.stream.script import corrupt


@pytest.mark.parametrize("fault", FAULTS)
def test_a_backend_that_fails_while_a_stream_replays_closes_it_cleanly(fault: str) -> None:
    async def work(app: Streams) -> None:
        script = app.long_job(3 * PAGE_SLOTS)

        def after_the_first_page() -> None:
            if app.log.calls["following"] == 1:
                app.log.failures.append(FAULTS[fault]())

        app.log.before = after_the_first_page
        stream = await app.follow(script.job_id).end()
        assert stream.complete and stream.status == 200
        assert stream.events == script.events[:PAGE_SLOTS]
        app.log.before = lambda: None
        resumed = await app.follow(script.job_id, after=PAGE_SLOTS).end()
        assert stream.events + resumed.events == script.events

    with streams() as app:
        run(work(app))


def test_a_backend_that_fails_from_the_start_still_sends_a_byte() -> None:
    async def work(app: Streams) -> None:
        script = app.long_job(3)
        app.log.failures.append(client_error("ThrottlingException"))
        stream = await app.follow(script.job_id).end()
        assert stream.complete and stream.body.startswith(b"retry: 1000\n") and not stream.events

    with streams() as app:
        run(work(app))


def test_a_backend_that_keeps_failing_closes_the_streams_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.stream.poller.GIVE_UP_AFTER", 0.05)

    async def work(app: Streams) -> None:
        script = app.job()
        script.slot("a")
        stream = app.follow(script.job_id)
        await stream.until(lambda c: c.events)
        app.log.failures.extend(client_error("ThrottlingException") for _ in range(1000))
        assert (await stream.end()).complete
        app.log.failures.clear()
        script.done()
        resumed = await app.follow(script.job_id, after=1).end()
        assert stream.events + resumed.events == script.events

    with streams() as app:
        run(work(app))


def test_a_short_fault_while_a_stream_waits_is_not_noticed() -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        stream = app.follow(script.job_id)
        await stream.until(lambda c: app.log.calls["read"])
        app.log.failures.extend(FAULTS[fault]() for fault in FAULTS)
        script.done("a")
        assert (await stream.end()).events == script.events
        assert not app.log.failures and b"come back" not in stream.body

    with streams() as app:
        run(work(app))


def test_a_slot_that_is_not_what_it_says_is_not_sent() -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        script.slot("a")
        slot = script.slot("b")
        app.log.written[script.job_id, 2] = corrupt(slot)
        stream = await app.follow(script.job_id).end()
        assert stream.complete and stream.events in ([], script.events[:1])

    with streams() as app:
        run(work(app))


def test_reads_that_lag_leave_no_gap() -> None:
    """Every slot is there and is not seen at first: by the poller's point reads and by the pages alike."""

    async def work(app: Streams) -> None:
        script = app.job()
        for number in range(40):
            slot = script.slot(f"text {number}")
            app.log.hidden[script.job_id, slot.seq] = number % 4
        script.done()
        app.log.hidden[script.job_id, 41] = 3
        assert (await app.follow(script.job_id).end()).events == script.events

    with streams() as app:
        run(work(app))
