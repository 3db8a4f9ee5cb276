"""Cancel and delete: end a job that nobody is running, and ask the worker of one that is running to stop."""

from __future__ import annotations

from functools import partial

from graphjobs.aws.job_store import JobStore
from graphjobs.aws.transition import Transitions, new_nonce
from graphjobs.core import lifecycle
from graphjobs.core.change import Decide, Refusal
from graphjobs.core.job import Job
from graphjobs.core.times import Clock, now_ms


class JobGone(Exception):
    """There is no such row any more."""


def cancel(job: Job, jobs: JobStore, transitions: Transitions, *, clock: Clock = now_ms, rollback: bool = False) -> Job:
    """Cancel `job` (as just read) and return it as it is then: terminal, or ``cancelling`` while it is run.

    With `rollback` it also takes back whatever the job did to its thread. Safe to repeat; a terminal job is returned
    as it is.

    Raises:
        JobGone: its row is gone.
        Contended, ClientError, BotoCoreError: see `Transitions.commit`.
    """
    if job.status.terminal:
        return job
    return _commit(job, partial(lifecycle.cancel, rollback=rollback), jobs, transitions, clock)


def delete(job: Job, jobs: JobStore, transitions: Transitions, *, clock: Clock = now_ms) -> Job:
    """Delete `job` (as just read) and return it as it is then: nobody sees it any more.

    It is ended as `cancel` does; the reconciler then erases whatever is kept of it. Safe to repeat.

    Raises:
        JobGone: its row is gone.
        Contended, ClientError, BotoCoreError: see `Transitions.commit`.
    """
    return _commit(job, lifecycle.delete, jobs, transitions, clock)


def _commit(job: Job, rule: Decide, jobs: JobStore, transitions: Transitions, clock: Clock) -> Job:
    # Whoever never ran, or is running, needs no look at the log: nothing is in it, or nothing will be written.
    known = (job, None) if job.epoch == 0 or job.held(clock()) else None
    applied = transitions.commit(job.job_id, rule, nonce=new_nonce(), known=known)
    after = jobs.get(job.job_id) if isinstance(applied, Refusal) else applied.job
    if after is None:
        raise JobGone(job.job_id)
    return after
