"""Claim, finish, release: how a job changes hands. The decisions are pure; `Transitions` commits them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from graphjobs.aws.job_store import JobStore, RowChanged
from graphjobs.aws.transition import Transitions
from graphjobs.core import outcome as ends
from graphjobs.core.change import Change
from graphjobs.core.event import ATTEMPT, METADATA
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import Job, Release, Status
from graphjobs.core.outcome import Outcome, carried_mark, ending
from graphjobs.core.settings import Settings
from graphjobs.core.slot import Mark, Slot
from graphjobs.core.times import Clock, now_ms


class Refusal(StrEnum):
    """Why a job is not run; in each case its message can be acknowledged."""

    HELD = "held"
    TERMINAL = "terminal"
    FINISHED = "finished"
    """The claim ended the job instead: cancelled, past its deadline, or out of attempts."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a job.

    Attributes:
        job: the row as of the claim; its `epoch` is the fence.
        nonce: names this writer in the log; made at the claim, never at import.
        tail: the slot that the claim wrote.
        mark: where to resume; None to begin with the input on a fresh checkpoint thread.
    """

    job: Job
    nonce: str
    tail: Slot
    mark: Mark | None

    @property
    def thread(self) -> str:
        """The checkpoint thread: the mark's, else one that no earlier claim has written to."""
        return self.mark.thread if self.mark else f"{self.job.job_id}:{self.job.epoch}"


def new_nonce() -> str:
    """A nonce for a claim or a transition."""
    return uuid.uuid4().hex


class Claims:
    """Takes jobs, ends them and lets them go."""

    def __init__(self, jobs: JobStore, transitions: Transitions, settings: Settings, *, clock: Clock = now_ms) -> None:
        self._jobs = jobs
        self._transitions = transitions
        self._settings = settings
        self._clock = clock

    def lease_until(self, job: Job) -> int:
        """A lease from now; never past the deadline."""
        return min(self._clock() + int(self._settings.lease_seconds * 1000), job.deadline_at)

    def due_after(self, lease_until: int, job: Job) -> int:
        """When the reconciler should look at a job that is held until `lease_until`.

        A heartbeat later than the lease, since SQS redelivers a lost worker's message first; but never after
        the deadline, at which it is due whatever has happened.
        """
        return min(lease_until + int(self._settings.heartbeat_seconds * 1000), job.deadline_at)

    def claim(self, job_id: str, *, model: str | None) -> Claim | Refusal:
        """Take the job, or end it if it must not run any more.

        Raises:
            Contended, ClientError, BotoCoreError: see `Transitions.commit`.
        """
        job = self._jobs.get(job_id)
        if job is None:
            return Refusal.GONE
        nonce = new_nonce()
        refusal = Refusal.TERMINAL

        def decide(job: Job, tail: Slot | None) -> Change | None:
            nonlocal refusal
            now = self._clock()
            if job.status.terminal or job.expired(now):
                refusal = Refusal.TERMINAL
                return None
            if job.held(now):
                refusal = Refusal.HELD
                return None
            over = verdict(job, now, self._settings)
            return ending(job, tail, over, now) if over else self._taken(job, tail, now, model)

        # A job that nobody ever claimed has an empty log, so its tail need not be read; a log that is not
        # empty after all makes the condition fail, and the next try reads it.
        known = (job, None) if job.epoch == 0 else None
        applied = self._transitions.commit(job_id, decide, nonce=nonce, known=known)
        if applied is None:
            return refusal
        if applied.job.status.terminal:
            return Refusal.FINISHED
        return Claim(applied.job, nonce, applied.slot, applied.slot.mark)

    def _taken(self, job: Job, tail: Slot | None, now: int, model: str | None) -> Change:
        lease = self.lease_until(job)
        mark = carried_mark(job, tail)
        after = replace(
            job,
            status=Status.RUNNING,
            epoch=job.epoch + 1,
            attempt=next_attempt(job),
            lease_until=lease,
            due_at=self.due_after(lease, job),
            started_at=job.started_at if job.started_at is not None else now,
            released=None,
            mark=None,
            sends=0,
        )
        event: tuple[str, dict[str, Any]]
        if tail is None:
            event = (METADATA, {"graph": job.graph, "model": model})
        else:
            data = {
                "attempt": after.attempt,
                "reason": "handoff" if job.released is Release.HANDOFF else "crash",
                "discard_after": mark.boundary_seq if mark else 1,
            }
            event = (ATTEMPT, data)
        return Change(after, [event], mark)

    def finish(self, claim: Claim, outcome: Outcome, tail: Slot | None) -> Job:
        """End the claimed job; `tail` is the writer's last slot, None if it cannot say which that is.

        Raises:
            Fenced: another claim has taken over, or somebody else has ended the job.
            Contended, ClientError, BotoCoreError: see `Transitions.commit`.
        """
        epoch = claim.job.epoch

        def decide(job: Job, tail: Slot | None) -> Change | None:
            if job.epoch != epoch or job.status.terminal:
                return None
            return ending(job, tail, outcome, self._clock())

        job = self._jobs.get(claim.job.job_id)
        if job is None:
            raise Fenced(claim.job.job_id)
        known = (job, tail) if tail else None
        applied = self._transitions.commit(job.job_id, decide, nonce=new_nonce(), known=known)
        if applied is None:
            raise Fenced(f"{job.job_id} is no longer this worker's.")
        return applied.job

    def release(self, claim: Claim, how: Release, mark: Mark | None) -> None:
        """Let go of the job, to be claimed again at once; `mark` where the next worker resumes.

        Raises:
            Fenced: another claim has taken over, or somebody else has ended the job.
            ClientError, BotoCoreError: as DynamoDB answers.
        """
        job = self._jobs.get(claim.job.job_id)
        if job is None or job.epoch != claim.job.epoch or job.status.terminal:
            raise Fenced(f"{claim.job.job_id} is no longer this worker's.")
        if job.released is how:
            return  # an earlier try whose answer was lost
        after = replace(
            job,
            lease_until=0,
            # The message follows at once; should it be lost, the reconciler looks after a lease's time.
            due_at=self.due_after(self.lease_until(job), job),
            released=how,
            handoffs=job.handoffs + how.goes_on,
            mark=mark,
        )
        try:
            self._jobs.update(job, after)
        except RowChanged:
            # A cancel came in between, or this very update is there already: look again.
            self.release(claim, how, mark)


def next_attempt(job: Job) -> int:
    """The attempt that a claim of `job` begins: a hand-off goes on with the one before it."""
    return job.attempt if job.released is not None and job.released.goes_on else job.attempt + 1


def verdict(job: Job, now: int, settings: Settings) -> Outcome | None:
    """How a job that nobody holds must end instead of being run again; None if it may run."""
    if job.status is Status.CANCELLING:
        return ends.CANCELLED
    if job.past_deadline(now):
        return ends.failed(ends.TIMED_OUT)
    if next_attempt(job) > settings.max_attempts:
        step_limit = job.released is Release.STEP_LIMIT
        return ends.failed(ends.STEP_EXCEEDS_LIMIT if step_limit else ends.WORKER_LOST)
    if job.handoffs > settings.max_handoffs:
        return ends.failed(ends.TOO_MANY_HANDOFFS)
    return None
