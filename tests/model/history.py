"""What must hold of one job's whole log, whatever happened: read as a client reads it that discards void events."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from graphjobs.core.event import Event
from graphjobs.core.job import Job, Status
from graphjobs.core.settings import Settings
from graphjobs.core.slot import Slot
from tests.model.worker import STEPS, TOKENS

GRAPH = ("token", "update")


def judge(job: Job, slots: list[Slot], settings: Settings, begins_after: int = 0) -> None:
    """Assert the invariants of row and log together; `begins_after` is the last value of the turn before."""
    events = [event.parse() for slot in slots for event in slot.events()]
    assert [event.seq for event in events] == list(range(1, len(events) + 1)), "seqs have a gap or a repeat"
    assert not events or events[0].type == "metadata", "the log does not begin with metadata"
    assert all(event.type != "metadata" for event in events[1:]), "metadata is repeated"
    assert [event.type for event in events[:-1]].count("done") == 0, "done is not the last event"
    assert job.status.terminal == (bool(events) and events[-1].type == "done"), "row and log do not end together"
    assert job.attempt <= settings.max_attempts, "more attempts than allowed"
    _writers_take_turns(slots)
    kept = _kept(events)
    _one_run(kept, begins_after)
    if job.status.terminal:
        _end(job, events, kept)


def _writers_take_turns(slots: list[Slot]) -> None:
    """Once another claim has committed, the one before it writes no more: each nonce has one stretch of the log."""
    nonces = [slot.nonce for slot in slots]
    stretches = 1 + sum(a != b for a, b in pairwise(nonces)) if nonces else 0
    assert stretches == len(set(nonces)), "a previous owner wrote after the claim that followed it"


def _kept(events: list[Event]) -> list[Event]:
    """The graph's events that no `attempt` declares void; the attempts themselves are checked on the way."""
    kept: list[Event] = []
    attempt, claimed_at = 1, 1
    for event in events:
        if event.type == "attempt":
            boundary = event.data["discard_after"]
            left = [earlier for earlier in kept if earlier.seq <= boundary]
            handed_on = event.data["reason"] == "handoff"
            assert 1 <= boundary < event.seq, "a boundary outside the log"
            assert not handed_on or left == kept, "a hand-off voids events"
            counted = event.data["attempt"] - attempt
            went_on = boundary > claimed_at
            assert counted == 0 if handed_on else counted == 1 or (counted == 0 and went_on), "attempts are miscounted"
            attempt, claimed_at, kept = event.data["attempt"], event.seq, left
        elif event.type in GRAPH:
            kept.append(event)
    return kept


def kept_values(slots: list[Slot]) -> tuple[int, ...]:
    """The values of the steps whose `update` no `attempt` declares void."""
    kept = _kept([event.parse() for slot in slots for event in slot.events()])
    return tuple(event.data["value"] for event in kept if event.type == "update")


def _one_run(kept: list[Event], before: int) -> None:
    """The kept events are those of one run: each step once, whole, and on the result of the step before it."""
    size = TOKENS + 1
    for step, start in enumerate(range(0, len(kept), size)):
        part = kept[start : start + size]
        data: dict[str, Any] = part[0].data
        assert data["step"] == step and data["after"] == before, "a step was run on a state that was not kept"
        assert all(event.data == data for event in part), "a step was run twice or is not whole"
        assert [event.type for event in part] == ["token"] * min(len(part), TOKENS) + ["update"] * (len(part) == size)
        before = data["value"]


def _end(job: Job, events: list[Event], kept: list[Event]) -> None:
    done = events[-1].data
    assert done["status"] == job.status.value, "row and log end differently"
    if job.status in (Status.COMPLETED, Status.INTERRUPTED):
        assert len(kept) == STEPS * (TOKENS + 1), "a completed job lacks steps"
        assert done["result"] == kept[-1].data["value"], "the result is not that of the kept run"
        assert job.finished_at is not None and job.finished_at < job.deadline_at, "completed after the deadline"
