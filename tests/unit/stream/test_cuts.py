"""Whatever the cuts and resumes, what a client received is exactly the log: the property the project stands on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphjobs.client.sse import EventParser
from graphjobs.stream import poller
from tests.support.stream.app import Connection, Event, Streams, parsed, run, streams
from tests.support.stream.script import Script

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["\n\n", "\r\n", "\u2028", "data: x\n\nid: 9\n\n", "환불", "\0", "\ufeff", '"', ": heartbeat", "가" * 400]
)
SLOTS = st.lists(st.lists(TEXTS, min_size=1, max_size=6), max_size=25)


def write(script: Script, slots: list[list[str]]) -> None:
    for texts in slots:
        script.slot(*texts)
    script.done()


async def received(app: Streams, job_id: str, after: int) -> bytes:
    """All bytes that a client with this cursor is sent."""
    stream = await app.follow(job_id, after=after).end()
    assert stream.complete or stream.status == 204
    return bytes(stream.body)


def last_id(body: bytes, chunks: random.Random | None = None) -> tuple[int, int]:
    """The number of events and the last id that our own client takes from `body`, cut into any chunks."""
    parser, count, start = EventParser(), 0, 0
    while start < len(body):
        end = start + (chunks.randrange(1, 40) if chunks else len(body))
        count += len(parser.feed(body[start:end]))
        start = end
    return count, int(parser.last_event_id or 0)


@settings(max_examples=60, deadline=None)
@given(slots=SLOTS, cuts=st.lists(st.floats(0, 1), max_size=8), seed=st.integers(0, 999))
def test_any_cuts_of_any_log_in_any_slots_give_exactly_the_log(
    slots: list[list[str]], cuts: list[float], seed: int
) -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        write(script, slots)
        got: list[Event] = []
        for share in [*cuts, 1.0]:
            body = await received(app, script.job_id, len(got))
            whole = body[: round(len(body) * share)]
            events = parsed(whole)
            assert last_id(whole, random.Random(seed)) == (len(events), events[-1]["seq"] if events else 0)
            got += events
            if got and got[-1]["type"] == "done":
                break
        assert got == script.events

    with streams() as app:
        run(work(app))


def test_a_cut_at_any_byte_and_a_resume_give_exactly_the_log() -> None:
    async def work(app: Streams) -> None:
        script = app.job()
        write(script, [["환불", "a\n\nb"], ["c"], ["d", "e", "f"], ["가" * 300], ["g", "h"]])
        rest = [parsed(await received(app, script.job_id, after)) for after in range(len(script.events) + 1)]
        body = await received(app, script.job_id, 0)
        for offset in range(len(body) + 1):
            before = parsed(body[:offset])
            assert before + rest[len(before)] == script.events, offset
            assert last_id(body[:offset]) == (len(before), len(before)), offset

    with streams() as app:
        run(work(app))


def _received(size: int) -> Callable[[Connection], bool]:
    return lambda connection: len(connection.body) >= size or connection.complete


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_cuts_of_a_log_that_is_being_written_give_exactly_the_log(data: st.DataObject) -> None:
    """Live: the client leaves after some bytes, at moments when slots are hidden, withheld or failing to be read."""
    slots = data.draw(st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=3, max_size=15))
    cuts = data.draw(st.lists(st.integers(1, 400), max_size=6))
    lag = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=10))

    async def work(app: Streams) -> None:
        script = app.job()

        async def writer() -> None:
            for number, texts in enumerate(slots):
                key = (script.job_id, len(script.events) + 1)
                app.log.hidden[key] = lag[number % len(lag)]
                app.log.withheld[key] = lag[(number + 1) % len(lag)]
                script.slot(*texts)
                await asyncio.sleep(0.002)
            script.done()

        writing = asyncio.ensure_future(writer())
        got: list[Event] = []
        for size in cuts:
            stream = app.follow(script.job_id, after=len(got))
            await stream.until(_received(size))
            await stream.leave()
            got += parsed(bytes(stream.body[:size]))
        for _ in range(200):
            if got and got[-1]["type"] == "done":
                break
            got += (await app.follow(script.job_id, after=len(got)).end()).events
        await writing
        assert got == script.events

    # The slots come a few milliseconds apart here: so do the reads.
    with pytest.MonkeyPatch.context() as patch, streams(heartbeat=0.05) as app:
        patch.setattr(poller, "FASTEST", 0.002)
        run(work(app))
