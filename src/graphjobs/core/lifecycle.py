"""The rules of a job's life: who may claim it, and how it is released, cancelled, expired and ended.

Each rule is a pure function of the job as it was read and of the time; `Transitions.commit` carries out what it wants
and asks again if somebody else was first. What the rules hold true:

* Only a change that ends with the event ``done`` makes a row terminal. A terminal row never changes, but for the marks
  that it is deleted, and that a thread was made of it.
* Only a claim adds to `epoch`, the fence, and it always writes a slot: the previous owner's next key is taken.
* Whoever holds the job (a lease in force) is the only one who may end it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Self

from graphjobs.core import outcome as ends
from graphjobs.core.change import Change, Refusal, Situation
from graphjobs.core.event import ATTEMPT, DONE, ERROR, METADATA
from graphjobs.core.job import Job, Release, Status
from graphjobs.core.outcome import Outcome
from graphjobs.core.settings import Settings
from graphjobs.core.slot import Mark, Slot
from graphjobs.core.thread import Position

Events = list[tuple[str, dict[str, Any]]]

RESUME: Final = "resume"
RESTART: Final = "restart"
FAIL: Final = "fail"
"""What becomes of a job that has a mark when its graph was deployed anew: it goes on from there, begins again, ends."""

NEW_VERSION: Final = "new_version"
"""Reason of an ``attempt`` that begins again since the graph was deployed anew."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that the rules need; times in milliseconds."""

    lease_ms: int
    heartbeat_ms: int
    max_attempts: int
    max_handoffs: int
    max_starts: int
    """Workers in a row that could not be started for a job, after which it fails."""
    digest: str = ""
    """Of the graphs that this worker has; empty if it is not known."""
    on_new_version: str = RESUME

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The policy that the settings give."""
        return cls(
            int(settings.lease_seconds * 1000),
            int(settings.heartbeat_seconds * 1000),
            settings.max_attempts,
            settings.max_handoffs,
            settings.max_starts,
            settings.graph_digest,
            settings.on_new_version,
        )

    def is_new_to(self, job: Job) -> bool:
        """Whether these are other graphs than those of the job's last worker, as far as both are known."""
        return bool(self.digest and job.digest) and self.digest != job.digest

    def lease_until(self, job: Job, now: int) -> int:
        """A lease from `now`; never past the deadline."""
        return min(now + self.lease_ms, job.deadline_at)

    def due_after(self, lease_until: int, job: Job) -> int:
        """When the reconciler should look at a job that is held until `lease_until`.

        A heartbeat later than the lease, since SQS redelivers a lost worker's message first; but never after
        the deadline, at which it is due whatever has happened.
        """
        return min(lease_until + self.heartbeat_ms, job.deadline_at)


def claim(at: Situation, policy: Policy, model: str | None) -> Change | Refusal:
    """Take the job for a worker, or end it if it must not run any more."""
    job, now = at.job, at.now
    refusal = _unavailable(job, now)
    if refusal is not None:
        return refusal
    over = verdict(job, now, policy)
    if over is not None:
        return ending(at, over)
    if job.waits(now):
        return Refusal.WAITING
    lease = policy.lease_until(job, now)
    mark = carried_mark(job, at.tail)
    anew = policy.on_new_version != RESUME and mark is not None and policy.is_new_to(job)
    if anew and policy.on_new_version == FAIL:
        return ending(at, ends.failed(ends.NEW_VERSION))
    if anew:
        mark = None
    after = replace(
        job,
        status=Status.RUNNING,
        epoch=job.epoch + 1,
        attempt=next_attempt(job),
        lease_until=lease,
        due_at=policy.due_after(lease, job),
        started_at=job.started_at if job.started_at is not None else now,
        released=None,
        mark=None,
        sends=0,
        start_failures=0,
        digest=policy.digest or job.digest,
    )
    return Change(after, [_opening(job, after, at.tail, mark, model, anew)], mark)


def finish(at: Situation, epoch: int, outcome: Outcome) -> Change | Refusal:
    """End the job that the claim `epoch` holds."""
    if at.job.epoch != epoch or at.job.status.terminal:
        return Refusal.LOST
    return ending(at, outcome)


def release(at: Situation, policy: Policy, epoch: int, how: Release, mark: Mark | None) -> Change | Refusal:
    """Let go of the job that the claim `epoch` holds; `mark` is where the next worker resumes.

    It writes no slot: the writer is closed by then, and the next claim's slot is the fence (ADR 16).
    """
    job = at.job
    if job.epoch != epoch or job.status.terminal:
        return Refusal.LOST
    if job.released is how:
        return Change(job)  # an earlier try whose answer was lost
    after = replace(
        job,
        lease_until=0,
        # The message follows at once; should it be lost, the reconciler looks after a lease's time.
        due_at=policy.due_after(policy.lease_until(job, at.now), job),
        released=how,
        handoffs=job.handoffs + 1 if how.goes_on else job.handoffs,
        mark=mark,
    )
    return Change(after)


def cancel(at: Situation, *, rollback: bool = False) -> Change | Refusal:
    """End a job that nobody holds; ask the worker of one that is held to stop.

    With `rollback` whatever it did to its thread is taken back.

    Asking writes no slot, which would fence the worker that is to write the end.
    """
    if at.job.status.terminal:
        return Refusal.TERMINAL
    job = replace(at.job, rollback=at.job.rollback or rollback)
    if job.held(at.now):
        return Change(replace(job, status=Status.CANCELLING))
    return ending(replace(at, job=job), ends.CANCELLED)


def start_failed(at: Situation, policy: Policy, cause: ends.Cause | None) -> Change | Refusal:
    """Count a worker that could not be started for a job that nobody holds; the last of `max_starts` ends it."""
    job = at.job
    refusal = _unavailable(job, at.now)
    if refusal is not None:
        return refusal
    over = verdict(job, at.now, policy)
    if over is not None:
        return ending(at, over)
    if job.waits(at.now):
        return Refusal.WAITING
    counted = replace(job, start_failures=job.start_failures + 1)
    if counted.start_failures < policy.max_starts:
        return Change(counted)
    return ending(replace(at, job=counted), ends.failed(ends.WORKER_INIT, cause))


def delete(at: Situation) -> Change | Refusal:
    """Mark a job as deleted, and end it as `cancel` does if it has not ended.

    Nobody sees it any more. Once it has ended it is due at once: the reconciler erases it.
    """
    if at.job.deleting:
        return Refusal.FINE
    job = replace(at.job, deleting=True)
    if job.status.terminal:
        return Change(replace(job, due_at=at.now))
    if job.held(at.now):
        return Change(replace(job, status=Status.CANCELLING))
    return ending(replace(at, job=job), ends.CANCELLED)


def expire(at: Situation, policy: Policy) -> Change | Refusal:
    """End a job that nobody holds and that must not run again.

    Also one past its time to live, whose row DynamoDB has not deleted yet: its thread waits for the end.
    """
    if at.job.status.terminal:
        return Refusal.TERMINAL
    if at.job.held(at.now):
        return Refusal.HELD
    over = verdict(at.job, at.now, policy)
    return ending(at, over) if over else Refusal.FINE


def verdict(job: Job, now: int, policy: Policy) -> Outcome | None:
    """How a job that nobody holds must end instead of being run again; None if it may run."""
    if job.status is Status.CANCELLING:
        return ends.CANCELLED
    if job.past_deadline(now):
        return ends.failed(ends.TIMED_OUT)
    if next_attempt(job) > policy.max_attempts:
        step_limit = job.released is Release.STEP_LIMIT
        return ends.failed(ends.STEP_EXCEEDS_LIMIT if step_limit else ends.WORKER_LOST)
    if job.handoffs > policy.max_handoffs:
        return ends.failed(ends.TOO_MANY_HANDOFFS)
    return None


def ending(at: Situation, outcome: Outcome) -> Change:
    """The change that ends the job with `outcome` (as `settled` sees it)."""
    job = at.job
    outcome = settled(job, outcome, at.now)
    mark = carried_mark(job, at.tail)
    if outcome.position is None and mark is not None:
        outcome = replace(outcome, position=Position(mark.thread, mark.checkpoint_id))
    elif outcome.position is not None and at.tail is not None:
        mark = Mark(*outcome.position, at.tail.last_seq)
    error = outcome.error()
    events: Events = []
    if at.tail is None:
        # A job that never started has exactly `metadata, done`; the error is in `done`.
        events.append((METADATA, {"graph": job.graph, "model": None}))
    elif error:
        events.append((ERROR, dict(error)))
    events.append((DONE, outcome.done()))
    after = replace(
        job,
        status=outcome.status,
        finished_at=at.now,
        lease_until=0,
        due_at=at.now if job.deleting else 0,
        released=None,
        mark=None,
        waiting=False,
        start=None,
    )
    return Change(after, events, mark, outcome)


def settled(job: Job, outcome: Outcome, now: int) -> Outcome:
    """What `outcome` becomes in view of the row: a cancel wins over all, the deadline over the rest."""
    if job.status is Status.CANCELLING:
        return replace(outcome, status=Status.CANCELLED, result=None, code=None)
    if outcome.status in (Status.COMPLETED, Status.INTERRUPTED) and job.past_deadline(now):
        return replace(outcome, status=Status.FAILED, result=None, code=ends.TIMED_OUT)
    return outcome


LOST: Final = "lost"
"""How a worker left a job of which nothing more was heard."""


def left(job: Job) -> str | None:
    """How the last worker of a job that nobody holds and that has not ended left it; None if it had none."""
    if job.epoch == 0:
        return None
    return job.released.value if job.released else LOST


def next_attempt(job: Job) -> int:
    """The attempt that a claim of `job` begins: a hand-off goes on with the one before it."""
    return job.attempt if job.released is not None and job.released.goes_on else job.attempt + 1


def carried_mark(job: Job, tail: Slot | None) -> Mark | None:
    """Where the log says to resume: the tail's mark, or the row's after a hand-off, whichever is newer."""
    marks = [mark for mark in (job.mark, tail.mark if tail else None) if mark]
    return max(marks, key=lambda mark: mark.boundary_seq, default=None)


def _unavailable(job: Job, now: int) -> Refusal | None:
    if job.status.terminal or job.expired(now):
        return Refusal.TERMINAL
    return Refusal.HELD if job.held(now) else None


def _opening(
    before: Job, after: Job, tail: Slot | None, mark: Mark | None, model: str | None, anew: bool
) -> tuple[str, dict[str, Any]]:
    """The event that a claim writes."""
    digest = {"digest": after.digest} if after.digest else {}
    if tail is None:
        return METADATA, {"graph": after.graph, "model": model, **digest}
    reason = "handoff" if before.released is Release.HANDOFF else "crash"
    boundary = mark.boundary_seq if mark else 1
    data = {"attempt": after.attempt, "reason": NEW_VERSION if anew else reason, "discard_after": boundary}
    return ATTEMPT, data | (digest if before.digest != after.digest else {})
