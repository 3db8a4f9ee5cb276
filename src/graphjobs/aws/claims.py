"""A worker's hold on a job: claim, finish, release. The rules are in `core/lifecycle.py`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from graphjobs.aws.job_store import JobStore
from graphjobs.aws.transition import Transitions, new_nonce
from graphjobs.core import lifecycle
from graphjobs.core.change import Applied, Decide, Refusal
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import Job, Release
from graphjobs.core.lifecycle import Policy
from graphjobs.core.outcome import Outcome
from graphjobs.core.settings import Settings
from graphjobs.core.slot import Mark, Slot
from graphjobs.core.times import Clock, now_ms


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a job.

    Attributes:
        job: the row as of the claim; its `epoch` is the fence.
        nonce: names this writer in the log; made at the claim, never at import.
        tail: the slot that the claim wrote.
        mark: where to resume; None to begin with the input on a fresh checkpoint thread.
        before: the row that it was taken from; None if that is not known.
    """

    job: Job
    nonce: str
    tail: Slot
    mark: Mark | None
    before: Job | None = None

    @property
    def thread(self) -> str:
        """The checkpoint thread: the mark's, else one that no earlier claim has written to."""
        return self.mark.thread if self.mark else self.job.checkpoint_thread(self.job.epoch)


class Claims:
    """Takes jobs, ends them and lets them go."""

    def __init__(self, jobs: JobStore, transitions: Transitions, settings: Settings, *, clock: Clock = now_ms) -> None:
        self._jobs = jobs
        self._transitions = transitions
        self._policy = Policy.of(settings)
        self._clock = clock

    def lease_until(self, job: Job) -> int:
        """A lease from now; never past the deadline."""
        return self._policy.lease_until(job, self._clock())

    def due_after(self, lease_until: int, job: Job) -> int:
        """See `Policy.due_after`."""
        return self._policy.due_after(lease_until, job)

    def claim(self, job_id: str, *, model: str | None) -> Claim | Applied | Refusal:
        """Take the job; `Applied` if it must not run any more and was ended instead.

        Raises:
            Contended, ClientError, BotoCoreError: see `Transitions.commit`.
        """
        job = self._jobs.get(job_id)
        if job is None:
            return Refusal.GONE
        nonce = new_nonce()
        # A job that nobody ever claimed has an empty log, so its tail need not be read.
        known = (job, None) if job.epoch == 0 else None
        rule = partial(lifecycle.claim, policy=self._policy, model=model)
        applied = self._transitions.commit(job_id, rule, nonce=nonce, known=known)
        if isinstance(applied, Refusal) or applied.slot is None or applied.job.status.terminal:
            return applied
        return Claim(applied.job, nonce, applied.slot, applied.slot.mark, applied.before)

    def finish(self, claim: Claim, outcome: Outcome, tail: Slot | None) -> Applied:
        """End the claimed job; `tail` is the writer's last slot, None if it cannot say which that is.

        Raises:
            Fenced: another claim has taken over, or somebody else has ended the job.
            Contended, ClientError, BotoCoreError: see `Transitions.commit`.
        """
        rule = partial(lifecycle.finish, epoch=claim.job.epoch, outcome=outcome)
        return self._mine(claim, rule, tail, reads_tail=True)

    def release(self, claim: Claim, how: Release, mark: Mark | None) -> Applied:
        """Let go of the job, to be claimed again at once; `mark` where the next worker resumes.

        Raises:
            Fenced: another claim has taken over, or somebody else has ended the job.
            Contended, ClientError, BotoCoreError: see `Transitions.commit`.
        """
        rule = partial(lifecycle.release, policy=self._policy, epoch=claim.job.epoch, how=how, mark=mark)
        return self._mine(claim, rule, None, reads_tail=False)

    def _mine(self, claim: Claim, rule: Decide, tail: Slot | None, *, reads_tail: bool) -> Applied:
        job = self._jobs.get(claim.job.job_id)
        known = None if job is None or (reads_tail and tail is None) else (job, tail)
        applied = self._transitions.commit(claim.job.job_id, rule, nonce=new_nonce(), known=known)
        if isinstance(applied, Refusal):
            raise Fenced(f"{claim.job.job_id} is no longer this worker's: {applied}.")
        return applied
