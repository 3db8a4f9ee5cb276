"""A slot is inflated and encoded once, however many streams send it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from graphjobs.core.event import DONE, Event, StoredEvent
from graphjobs.core.slot import CorruptSlot, Slot, freeze
from graphjobs.http import sse
from graphjobs.stream import frame as module
from graphjobs.stream.frame import Delivery, Frame
from tests.support.stream.app import Streams, run, streams

TS = "2026-01-01T00:00:01.500Z"
LARGE = "가" * 400
"""A slot of it is deflated."""


def slot(first: int, *kinds: str) -> Slot:
    lines = [Event(seq, kind, TS, {"text": LARGE}).line() for seq, kind in enumerate(kinds, first)]
    return freeze("job-a", first, lines, nonce="n", mark=None, expires_at=1_900_000_000)


@pytest.mark.parametrize("viewers", [1, 10])
def test_a_live_slot_is_inflated_and_encoded_once_for_all_viewers(
    viewers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflated: Counter[int] = Counter()
    encoded: Counter[int] = Counter()
    events = Slot.events

    def inflate(self: Slot) -> list[StoredEvent]:
        inflated[self.seq] += 1
        return events(self)

    def encode(event: StoredEvent) -> bytes:
        encoded[event.seq] += 1
        return sse.encode(event)

    monkeypatch.setattr(Slot, "events", inflate)

    async def work(app: Streams) -> None:
        app.service.feed = replace(app.service.feed, encode=encode)
        script = app.job()
        opened = [app.follow(script.job_id) for _ in range(viewers)]
        for number in range(1, 6):
            script.slot(LARGE, f"text {number}")
            for stream in opened:
                await stream.until(lambda c, number=number: len(c.events) == 2 * number)
        script.done()
        for stream in opened:
            assert (await stream.end()).events == script.events
        assert inflated == dict.fromkeys((1, 3, 5, 7, 9, 11), 1)
        assert encoded == dict.fromkeys(range(1, 12), 1)

    with streams() as app:
        run(work(app))


def test_viewers_that_replay_together_share_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    inflated: Counter[int] = Counter()
    made = Frame.__init__

    def count(self: Frame, slot: Slot) -> None:
        inflated[slot.seq] += 1
        made(self, slot)

    monkeypatch.setattr(module.Frame, "__init__", count)

    async def work(app: Streams) -> None:
        script = app.long_job(5)
        key = (script.job_id, 1)
        pages = await asyncio.gather(*[app.service.feed.pages.page(key) for _ in range(10)])
        assert all(page == pages[0] for page in pages)
        assert set(inflated.values()) == {1}

    with streams(threads=2) as app:
        run(work(app))


def test_a_frame_says_what_its_slot_is() -> None:
    frame = Frame(slot(4, "token", "token"))
    assert (frame.first, frame.last, frame.produced_at, frame.ends) == (4, 5, 1_767_225_601_500, False)
    assert Frame(slot(6, "token", DONE)).ends


@pytest.mark.parametrize(("after", "seqs"), [(0, [4, 5, 6]), (3, [4, 5, 6]), (4, [5, 6]), (5, [6]), (6, [])])
def test_a_frame_is_cut_at_any_event(after: int, seqs: list[int]) -> None:
    assert Frame(slot(4, "a", "b", "c")).after(after, lambda event: b"%d " % event.seq) == b"".join(
        b"%d " % seq for seq in seqs
    )


def test_each_encoder_has_bytes_of_its_own() -> None:
    frame = Frame(slot(1, "a", "b"))
    assert frame.after(0, lambda event: b"x") == b"xx"
    assert frame.after(0, lambda event: b"" if event.type == "a" else b"y") == b"y"


@pytest.mark.parametrize(
    "line", ["", "no event", '{"seq":2,"type":', '{"seq":2,"type":"x"}', '{"seq":2,"type":"x","ts":"late"}']
)
def test_a_slot_whose_last_line_is_no_event_is_corrupt(line: str) -> None:
    with pytest.raises(CorruptSlot):
        Frame(freeze("job-a", 2, [line], nonce="n", mark=None, expires_at=1))


def test_a_delivery_refuses_a_gap_and_a_repeat() -> None:
    delivery = Delivery("job-a", 1)
    delivery.take([Frame(slot(1, "a", "b")), Frame(slot(3, "c"))])
    assert delivery.next == ("job-a", 4) and not delivery.ended
    for wrong in (slot(5, "e"), slot(2, "b")):
        with pytest.raises(CorruptSlot):
            delivery.take([Frame(wrong)])
    assert delivery.sent == 3
    delivery.take([Frame(slot(4, DONE))])
    assert delivery.ended
