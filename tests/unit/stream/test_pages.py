"""One read of a page for all streams that are behind at the same place."""

from __future__ import annotations

import asyncio

import pytest

from graphjobs.core.slot import CorruptSlot
from graphjobs.stream.pages import PAGE_SLOTS, Pages
from tests.support.stream.app import run, streams


def test_those_who_ask_at_the_same_time_share_one_read() -> None:
    async def work() -> None:
        script = app.long_job(2 * PAGE_SLOTS)
        pages = Pages(app.log, app.service.executor)
        asked = [pages.page((script.job_id, 1)) for _ in range(50)]
        answers = await asyncio.gather(*asked)
        assert app.log.calls["following"] == 1
        assert all([frame.first for frame in answer] == list(range(1, PAGE_SLOTS + 1)) for answer in answers)
        await pages.page((script.job_id, PAGE_SLOTS + 1))
        await pages.page((script.job_id, 1))
        assert app.log.calls["following"] == 3, "an answer is shared, not kept"

    with streams(threads=2) as app:
        run(work())


def test_one_that_goes_takes_the_read_from_nobody() -> None:
    async def work() -> None:
        script = app.long_job(3)
        pages = Pages(app.log, app.service.executor)
        leaves, stays = (asyncio.create_task(pages.page((script.job_id, 1))) for _ in range(2))
        await asyncio.sleep(0)
        leaves.cancel()
        assert len(await stays) == 3
        assert leaves.cancelled()

    with streams(threads=2) as app:
        run(work())


def test_a_read_that_fails_fails_for_all_who_wait_and_for_nobody_after() -> None:
    async def work() -> None:
        script = app.long_job(3)
        pages = Pages(app.log, app.service.executor)

        def corrupt() -> None:
            raise CorruptSlot("made up")

        app.log.before = corrupt
        failed = await asyncio.gather(*[pages.page((script.job_id, 1)) for _ in range(2)], return_exceptions=True)
        assert [type(error) for error in failed] == [CorruptSlot, CorruptSlot]
        app.log.before = lambda: None
        assert len(await pages.page((script.job_id, 1))) == 3

    with streams(threads=2) as app:
        run(work())


@pytest.mark.parametrize("slots", [1, PAGE_SLOTS - 1, PAGE_SLOTS, PAGE_SLOTS + 1])
def test_a_page_that_is_not_full_is_the_last(slots: int) -> None:
    async def work() -> None:
        script = app.job()
        for number in range(slots):
            script.slot(f"text {number}")
        stream = app.follow(script.job_id)
        await stream.until(lambda c: len(c.events) == slots)
        await asyncio.sleep(0.05)
        assert app.log.calls["following"] == slots // PAGE_SLOTS + 1
        script.done()
        assert (await stream.end()).events == script.events

    with streams() as app:
        run(work())
