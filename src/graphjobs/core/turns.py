"""The rules of turns: how a job joins a thread, and what its end makes of the thread.

* One job at a time has the turn; the others wait in the order in which they were accepted.
* A head moves only with the end of the job whose turn it is, and only to what that job has saved and confirmed.
* An answer is accepted while its question is open and nobody has the turn: so it is accepted once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Literal

from graphjobs.core.job import Job, Status
from graphjobs.core.outcome import Outcome
from graphjobs.core.thread import Position, Thread, ThreadStatus

MAX_WAITING: Final = 20
"""Jobs that may wait for one thread."""

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
class Turn:
    """The turn handed to a job that has waited: where it begins."""

    job_id: str
    start: Position | None


def join(
    thread: Thread, job: Job, strategy: Strategy, command: Mapping[str, Any] | None, fork: Position | None
) -> Joined | NotJoined:
    """`job` as the next of `thread`; at once if nobody has the turn. `fork` is where it begins in place of the head."""
    busy = thread.turn is not None
    if command is not None and "resume" in command:
        refusal = _unanswerable(thread, command["resume"]) if fork is None else None
        if busy or refusal is not None:
            return NotJoined.BUSY if busy else refusal or NotJoined.BUSY
    job = replace(job, thread_id=thread.thread_id, start=fork)
    if not busy:
        start = fork or thread.head
        return Joined(replace(thread, turn=job.job_id, graph=job.graph), replace(job, start=start))
    if strategy == "reject":
        return NotJoined.BUSY
    if len(thread.waiting) >= MAX_WAITING:
        return NotJoined.FULL
    stops = (str(thread.turn), *thread.waiting) if strategy in ("interrupt", "rollback") else ()
    waits = replace(job, waiting=True, due_at=job.deadline_at)
    return Joined(replace(thread, waiting=(*thread.waiting, job.job_id), graph=job.graph), waits, stops)


def _unanswerable(thread: Thread, resume: Any) -> NotJoined | None:
    if not thread.interrupts:
        # Also where it was stopped, by a cancel or at a node: LangGraph would keep the answer for a question to come.
        return NotJoined.NO_SUCH_INTERRUPT
    named = names_interrupts(resume)
    if named is not None:
        return None if named <= set(thread.interrupts) else NotJoined.NO_SUCH_INTERRUPT
    return None if len(thread.interrupts) == 1 else NotJoined.AMBIGUOUS


def names_interrupts(resume: Any) -> set[str] | None:
    """The ids that an answer is for, if it is of the form ``{interrupt_id: value}``; LangGraph tells them so too."""
    if not isinstance(resume, dict) or not resume:
        return None
    return set(resume) if all(INTERRUPT_ID.fullmatch(key) for key in resume) else None


def ended(thread: Thread, job: Job, outcome: Outcome) -> tuple[Thread, Turn | None]:
    """The thread after the end of `job` (its row before it), and who has the turn then, if somebody is waiting."""
    if job.job_id != thread.turn:
        return replace(thread, waiting=tuple(each for each in thread.waiting if each != job.job_id)), None
    after = thread if job.rollback else _moved(thread, outcome)
    following = after.waiting[0] if after.waiting else None
    turn = Turn(following, after.head) if following else None
    return replace(after, turn=following, waiting=after.waiting[1:]), turn


def _moved(thread: Thread, outcome: Outcome) -> Thread:
    resting = RESTING.get(outcome.status, thread.resting)
    if outcome.position is None:
        # Nothing of this job was confirmed: the questions that were open still are.
        return replace(thread, resting=resting)
    if outcome.status is Status.CANCELLED:
        resting = ThreadStatus.INTERRUPTED
    return replace(
        thread, head=outcome.position, interrupts=tuple(each["id"] for each in outcome.interrupts), resting=resting
    )


RESTING: Final = {
    Status.COMPLETED: ThreadStatus.IDLE,
    Status.INTERRUPTED: ThreadStatus.INTERRUPTED,
    Status.FAILED: ThreadStatus.ERROR,
}
"""The status of a thread after a job that ended so; a cancelled one changes nothing unless it has got somewhere."""


def own_thread(job: Job, head: Position | None, now: int) -> Thread:
    """The thread of a job that was created without one, once somebody has a use for it."""
    return Thread(
        thread_id=job.thread,
        owner=job.owner,
        graph=job.graph,
        created_at=job.created_at,
        updated_at=now,
        expires_at=0,
        head=head,
        resting=RESTING.get(job.status, ThreadStatus.IDLE),
        turn=None if job.status.terminal else job.job_id,
    )
