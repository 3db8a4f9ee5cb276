"""Which checkpoints the log may name: what is told to be free is never named, however slots are cut."""

from __future__ import annotations

import math
from collections import deque
from itertools import count
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from graphjobs.core.slot import Mark, Slot
from graphjobs.testing import MemoryLog
from graphjobs.testing.clock import START
from graphjobs.worker import slot_buffer
from graphjobs.worker.slot_buffer import SlotBuffer
from tests.support.worker.writing import claim

acts = st.lists(
    st.sampled_from(["event", "large", "step", "mark", "cut", "confirm", "asked"]),
    min_size=20,
    max_size=60,
)


def follow(steps: list[str], *, resumed: bool) -> None:
    """A step ends after an event; its checkpoint is made known later, in order, when others may have been written."""
    begun_at = Mark("t", "c000", 1) if resumed else None
    buffer = SlotBuffer(claim(MemoryLog(), mark=begun_at), flush_seconds=0.0)
    numbers = count(1)
    saved: deque[Mark] = deque()
    everyone = ["c000"] if resumed else []
    told = [begun_at] if begun_at else []
    free: set[str] = set()
    sent: Slot | None = None

    def named(mark: Mark | None, reach: int) -> None:
        assert mark is None or mark.checkpoint_id not in free
        assert mark == next((each for each in reversed(told) if each.boundary_seq <= reach), None)

    for act in steps:
        if act in ("event", "large"):
            buffer.accept("token", '"%s"' % ("x" * (300 if act == "large" else 1)), now=0.0, at=START)
        elif act == "step":
            saved.append(Mark("t", f"c{next(numbers):03}", buffer.last_seq))
            everyone.append(saved[-1].checkpoint_id)
        elif act == "mark" and saved:
            told.append(saved.popleft())
            buffer.mark(told[-1])
        elif act == "cut" and sent is None and not buffer.empty:
            sent = buffer.cut(0.0)
            named(sent.mark, sent.last_seq)
        elif act == "confirm" and sent is not None:
            buffer.confirm(sent)
            sent = None
        elif act == "asked" and sent is None:
            named(buffer.mark_to_resume, buffer.tail.last_seq)
        free |= {each for each in everyone if not buffer.may_name(each)}
        assert free.isdisjoint(mark.checkpoint_id for mark in saved), (
            "what the log has not been told of may still be named"
        )
        for slot in (buffer.tail, sent):
            assert slot is None or slot.mark is None or slot.mark.checkpoint_id not in free, (
                "it is, or will be, in the log"
            )


@settings(max_examples=400)
@given(acts, st.booleans())
def test_what_the_log_does_not_need_it_never_names_and_a_slot_has_the_newest_mark_that_it_reaches(
    steps: list[str], resumed: bool
) -> None:
    with patch.object(slot_buffer, "MAX_SLOT_EVENTS", 3), patch.object(slot_buffer, "MAX_SLOT_CHARACTERS", 400):
        follow(steps, resumed=resumed)


def test_while_a_put_takes_long_the_steps_in_between_are_free() -> None:
    buffer = SlotBuffer(claim(MemoryLog(), mark=Mark("t", "c0", 1)), flush_seconds=0.0)
    for number in range(1, 9):
        buffer.accept("update", "{}", now=0.0, at=START)
        buffer.mark(Mark("t", f"c{number}", buffer.last_seq))
        if number == 2:
            buffer.cut(0.0)
    assert [number for number in range(10) if buffer.may_name(f"c{number}")] == [0, 2, 8, 9]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 3)), min_size=2, max_size=60), st.booleans())
def test_no_slot_comes_before_the_one_before_it_has_said(pauses: list[tuple[int, int]], watched: bool) -> None:
    buffer = SlotBuffer(claim(MemoryLog()), flush_seconds=0.05)
    buffer.watch(watched)
    now, last, said = 0.0, -math.inf, 0.0
    for pause, events in pauses:
        until = now + pause / 1000
        while (wait := buffer.due(now)) <= until - now:
            now += max(0.0, wait)
            slot = buffer.cut(now)
            assert now >= last + said - 1e-9, "readers were told to ask later"
            assert 50 <= slot.quiet_ms <= 150, "whoever watches from now on is told of the pace for viewers"
            buffer.confirm(slot)
            last, said = now, slot.quiet_ms / 1000
        now = until
        for _ in range(events):
            buffer.accept("token", '"x"', now=now, at=START)


def test_where_more_is_waiting_or_the_job_ends_the_next_slot_may_come_at_once() -> None:
    buffer = SlotBuffer(claim(MemoryLog()), flush_seconds=0.05)
    with patch.object(slot_buffer, "MAX_SLOT_EVENTS", 2):
        for _ in range(5):
            buffer.accept("token", '"x"', now=0.0, at=START)
        for said, closing in [(0, False), (0, False), (0, True)]:
            slot = buffer.cut(0.0, closing=closing)
            assert slot.quiet_ms == said
            buffer.confirm(slot)
