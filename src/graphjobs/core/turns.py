"""The rules of turns: how a job joins a thread, and what its end makes of the thread.

* One job at a time has the turn; the others wait in the order in which they were accepted.
* A head moves only with the end of the job whose turn it is, and only to what that job has saved and confirmed.
* An answer is accepted while its question is open and nobody has the turn: so it is accepted once.
* A thread lives for its retention from when its head was moved: a turn that leaves nothing is as if it had never been.
* It lives as long as the rows of its jobs that have not ended: else they would wait for a turn that nobody gives.
* Once its retention is over, only a job joins it whose time is over while the head is still stored.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Literal

from graphjobs.core.job import Job, Status
from graphjobs.core.lifetimes import MAX_AFTER_SECONDS
from graphjobs.core.outcome import Outcome
from graphjobs.core.thread import Position, Thread, ThreadStatus

MAX_WAITING: Final = 20
"""Jobs that may wait for one thread."""

MAX_BRANCHES: Final = 25
"""Heads of a thread that were left and can still be seen; the oldest is forgotten for a new one."""

INTERRUPT_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)

Strategy = Literal["enqueue", "reject", "interrupt", "rollback"]
"""What becomes of a job on a busy thread: it waits, is refused, or has those before it cancelled."""


class NotJoined(StrEnum):
    """Why a job cannot join a thread; the codes that clients see."""

    BUSY = "thread_busy"
    FULL = "thread_queue_full"
    NO_SUCH_INTERRUPT = "no_such_interrupt"
    AMBIGUOUS = "answer_ambiguous"
    """Several questions are open, and the answer does not say which it is for."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A job that joined: thread and job after it, and the jobs before it that are to be cancelled."""

    thread: Thread
    job: Job
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a job begins in place of its thread's head, and the questions that are open there."""

    position: Position
    interrupts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn handed to a job that has waited: where it begins."""

    job_id: str
    start: Position | None


def join(
    thread: Thread, job: Job, strategy: Strategy, command: Mapping[str, Any] | None, fork: Fork | None
) -> Joined | NotJoined:
    """`job` as the next of `thread`; at once if nobody has the turn.

    An answer at a fork is for what was asked there, answered since or not: it makes a branch of its own.
    """
    busy = thread.turn is not None
    if command is not None and "resume" in command:
        refusal = _unanswerable(fork.interrupts if fork else thread.interrupts, command["resume"])
        if busy or refusal is not None:
            return NotJoined.BUSY if busy else refusal or NotJoined.BUSY
    start = fork.position if fork else None
    thread = replace(thread, expires_at=max(thread.expires_at, job.expires_at))
    job = replace(job, thread_id=thread.thread_id, start=start)
    if not busy:
        start = start or thread.head
        return Joined(replace(thread, turn=job.job_id, graph=job.graph), replace(job, start=start))
    if strategy == "reject" or (fork is None and _too_late(thread, job)):
        return NotJoined.BUSY
    if len(thread.waiting) >= MAX_WAITING:
        return NotJoined.FULL
    stops = (str(thread.turn), *thread.waiting) if strategy in ("interrupt", "rollback") else ()
    waits = replace(job, waiting=True, due_at=job.deadline_at)
    return Joined(replace(thread, waiting=(*thread.waiting, job.job_id), graph=job.graph), waits, stops)


def _too_late(thread: Thread, job: Job) -> bool:
    """Whether the job may begin when the head is not stored any more, should nobody have moved it by then.

    A thread that has outlived its retention is there for its jobs. The head is stored for longer by what a job may take
    that has joined in time: see `Lifetimes.state`. Its delay alone is allowed for, which needs no settings.
    """
    if not thread.kept_until or job.created_at < thread.kept_until * 1000:
        return False
    return job.deadline_at > (thread.kept_until + MAX_AFTER_SECONDS) * 1000


def _unanswerable(interrupts: tuple[str, ...], resume: Any) -> NotJoined | None:
    if not interrupts:
        # Also where it was stopped, by a cancel or at a node: LangGraph would keep the answer for a question to come.
        return NotJoined.NO_SUCH_INTERRUPT
    named = names_interrupts(resume)
    if named is not None:
        return None if named <= set(interrupts) else NotJoined.NO_SUCH_INTERRUPT
    return None if len(interrupts) == 1 else NotJoined.AMBIGUOUS


def names_interrupts(resume: Any) -> set[str] | None:
    """The ids that an answer is for, if it is of the form ``{interrupt_id: value}``; LangGraph tells them so too."""
    if not isinstance(resume, dict) or not resume:
        return None
    return set(resume) if all(INTERRUPT_ID.fullmatch(key) for key in resume) else None


def ended(thread: Thread, job: Job, outcome: Outcome) -> tuple[Thread, Turn | None]:
    """The thread after the end of `job` (its row before it), and who has the turn then, if somebody is waiting."""
    if job.job_id != thread.turn:
        return replace(thread, waiting=tuple(each for each in thread.waiting if each != job.job_id)), None
    return _handed_on(thread if job.rollback else _moved(thread, job, outcome))


def without(thread: Thread, gone: Collection[str]) -> tuple[Thread, Turn | None]:
    """The thread without jobs whose rows are gone, and who has the turn then, if that was one of theirs.

    A row that has not ended goes with its time to live where nothing could end it for that long.
    """
    after = replace(thread, waiting=tuple(each for each in thread.waiting if each not in gone))
    return _handed_on(after) if thread.turn in gone else (after, None)


def _handed_on(thread: Thread) -> tuple[Thread, Turn | None]:
    """The thread with the turn at whoever has waited longest, if anybody waits."""
    following = thread.waiting[0] if thread.waiting else None
    turn = Turn(following, thread.head) if following else None
    return replace(thread, turn=following, waiting=thread.waiting[1:]), turn


def _moved(thread: Thread, job: Job, outcome: Outcome) -> Thread:
    resting = RESTING.get(outcome.status, thread.resting)
    if outcome.position is None:
        # Nothing of this job was confirmed: the questions that were open still are.
        return replace(thread, resting=resting)
    if outcome.status is Status.CANCELLED:
        resting = ThreadStatus.INTERRUPTED
    return replace(
        thread,
        head=outcome.position,
        kept_until=0,
        branches=_branches(thread, job),
        interrupts=tuple(each["id"] for each in outcome.interrupts),
        resting=resting,
    )


def _branches(thread: Thread, job: Job) -> tuple[Position, ...]:
    """The heads that were left, once that of `job` is the head: the one before it, unless `job` has begun there."""
    left = [each for each in thread.branches if each != job.start]
    if thread.head is not None and job.start != thread.head:
        left.append(thread.head)
    return tuple(left[-MAX_BRANCHES:])


RESTING: Final = {
    Status.COMPLETED: ThreadStatus.IDLE,
    Status.INTERRUPTED: ThreadStatus.INTERRUPTED,
    Status.FAILED: ThreadStatus.ERROR,
}
"""The status of a thread after a job that ended so; a cancelled one changes nothing unless it has got somewhere."""


def own_thread(job: Job, head: Position | None, now: int) -> Thread:
    """The thread of a job that was created without one, once somebody has a use for it.

    Its head is kept as long as the job's row, by which it can be found, until a turn moves it.
    """
    return Thread(
        thread_id=job.thread,
        owner=job.owner,
        graph=job.graph,
        created_at=job.created_at,
        updated_at=now,
        expires_at=0 if job.status.terminal else job.expires_at,
        head=head,
        kept_until=job.expires_at if head else 0,
        resting=RESTING.get(job.status, ThreadStatus.IDLE),
        turn=None if job.status.terminal else job.job_id,
    )
