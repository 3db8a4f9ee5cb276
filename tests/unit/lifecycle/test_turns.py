"""The rules of turns, without a backend."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from graphjobs.core import outcome as ends
from graphjobs.core import turns
from graphjobs.core.job import Job, Status
from graphjobs.core.thread import Position, Thread, ThreadStatus, thread_attributes, thread_from_item
from graphjobs.core.turns import Joined, NotJoined

NOW = 1_800_000_000_000
ASKED = "a" * 32
OTHER = "b" * 32
HEAD = Position("job-0:1", "c1")
THREAD = Thread(thread_id="t", owner="u", graph="g", created_at=NOW, updated_at=NOW, expires_at=NOW, head=HEAD)
JOB = Job(
    job_id="job-1",
    owner="u",
    graph="g",
    status=Status.QUEUED,
    created_at=NOW,
    deadline_at=NOW + 1000,
    expires_at=NOW,
    due_at=NOW + 15,
)
BUSY = replace(THREAD, turn="job-0")


def joined(thread: Thread, **given: Any) -> Joined | NotJoined:
    options: dict[str, Any] = {"strategy": "enqueue", "command": None, "fork": None} | given
    return turns.join(thread, JOB, **options)


def test_on_a_free_thread_a_job_begins_at_the_head() -> None:
    made = joined(THREAD)
    assert isinstance(made, Joined)
    assert (made.thread.turn, made.job.start, made.job.waiting, made.job.thread_id) == ("job-1", HEAD, False, "t")


def test_on_a_busy_thread_it_waits_and_is_not_due_before_its_deadline() -> None:
    made = joined(BUSY)
    assert isinstance(made, Joined)
    assert (made.thread.turn, made.thread.waiting) == ("job-0", ("job-1",))
    assert made.job.waiting and made.job.start is None and made.job.due_at == JOB.deadline_at and not made.stops


def test_it_is_refused_if_asked_so_or_if_too_many_wait() -> None:
    assert joined(BUSY, strategy="reject") is NotJoined.BUSY
    full = replace(BUSY, waiting=tuple(f"j{i}" for i in range(turns.MAX_WAITING)))
    assert joined(full) is NotJoined.FULL


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
def test_those_before_it_are_stopped_if_asked_so(strategy: str) -> None:
    made = joined(replace(BUSY, waiting=("w1", "w2")), strategy=strategy)
    assert isinstance(made, Joined)
    assert made.stops == ("job-0", "w1", "w2") and made.thread.waiting == ("w1", "w2", "job-1")


@pytest.mark.parametrize(
    ("interrupts", "resume", "answer"),
    [
        ((), "yes", NotJoined.NO_SUCH_INTERRUPT),
        ((ASKED,), "yes", None),
        ((ASKED,), None, None),
        ((ASKED,), {ASKED: "yes"}, None),
        ((ASKED,), {"decisions": []}, None),
        ((ASKED,), {OTHER: "yes"}, NotJoined.NO_SUCH_INTERRUPT),
        ((ASKED, OTHER), "yes", NotJoined.AMBIGUOUS),
        ((ASKED, OTHER), {ASKED: 1}, None),
        ((ASKED, OTHER), {ASKED: 1, OTHER: 2}, None),
        ((ASKED, OTHER), {ASKED: 1, "c" * 32: 2}, NotJoined.NO_SUCH_INTERRUPT),
    ],
)
def test_an_answer_is_for_an_open_question(interrupts: tuple[str, ...], resume: Any, answer: NotJoined | None) -> None:
    thread = replace(THREAD, interrupts=interrupts)
    made = joined(thread, command={"resume": resume})
    assert made is answer if answer else isinstance(made, Joined)
    for strategy in get_args(turns.Strategy):
        busy = joined(replace(thread, turn="job-0"), command={"resume": resume}, strategy=strategy)
        assert busy is NotJoined.BUSY, "whatever it would do to those before it: they have the question"


@pytest.mark.parametrize("resume", ["yes", None, {ASKED: "yes"}])
def test_a_thread_that_was_only_stopped_takes_no_answer_and_goes_on_without_one(resume: Any) -> None:
    """LangGraph would give the answer to the next question, which nobody has seen."""
    stopped = replace(THREAD, resting=ThreadStatus.INTERRUPTED)
    assert joined(stopped, command={"resume": resume}) is NotJoined.NO_SUCH_INTERRUPT
    assert isinstance(joined(stopped), Joined)


NEW = Position("job-0:1", "c9")
ENDED = replace(JOB, job_id="job-0", thread_id="t")


@pytest.mark.parametrize(
    ("outcome", "head", "status"),
    [
        (ends.completed(1), NEW, "idle"),
        (ends.failed("graph_error"), NEW, "error"),
        (ends.CANCELLED, NEW, "interrupted"),
        (ends.interrupted({}, [{"id": OTHER, "value": 1}]), NEW, "interrupted"),
    ],
)
def test_an_end_moves_the_head_to_what_was_saved_and_gives_the_turn_on(
    outcome: ends.Outcome, head: Position, status: str
) -> None:
    thread = replace(BUSY, waiting=("w1", "w2"), interrupts=(ASKED,))
    after, turn = turns.ended(thread, ENDED, replace(outcome, position=NEW))
    assert after.head == head and after.turn == "w1" and after.waiting == ("w2",)
    assert turn == turns.Turn("w1", head)
    alone, nobody = turns.ended(replace(thread, waiting=()), ENDED, replace(outcome, position=NEW))
    assert nobody is None and alone.status == status
    assert after.interrupts == tuple(each["id"] for each in outcome.interrupts)


@pytest.mark.parametrize("outcome", [ends.failed("worker_lost"), ends.CANCELLED])
def test_what_was_not_confirmed_moves_nothing_and_leaves_the_question_open(outcome: ends.Outcome) -> None:
    after, _ = turns.ended(replace(BUSY, interrupts=(ASKED,)), ENDED, outcome)
    assert (after.head, after.interrupts) == (HEAD, (ASKED,))


def test_a_rollback_leaves_no_trace() -> None:
    before = replace(BUSY, interrupts=(ASKED,), resting=ThreadStatus.INTERRUPTED)
    after, _ = turns.ended(before, replace(ENDED, rollback=True), replace(ends.CANCELLED, position=NEW))
    assert after == replace(before, turn=None)


def test_a_waiting_job_that_ends_leaves_its_place() -> None:
    thread = replace(BUSY, waiting=("w1", "job-1", "w2"))
    after, turn = turns.ended(thread, JOB, ends.CANCELLED)
    assert after == replace(thread, waiting=("w1", "w2")) and turn is None


def test_a_row_is_read_as_it_was_written() -> None:
    thread = replace(BUSY, waiting=("w1",), interrupts=(ASKED,), metadata={"a": [1]}, revision=3)
    assert thread_from_item(thread_attributes(thread)) == thread
    bare = replace(THREAD, head=None)
    assert thread_from_item(thread_attributes(bare)) == bare
