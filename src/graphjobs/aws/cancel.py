"""Cancel and delete: end a job that nobody is running, and ask the worker of one that is running to stop.

A thread is deleted with all its jobs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from graphjobs.aws.job_store import JobStore, RowChanged
from graphjobs.aws.retry import Retry
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.aws.transition import Contended, Transitions, new_nonce
from graphjobs.core import lifecycle
from graphjobs.core.change import Decide, Refusal
from graphjobs.core.job import Job
from graphjobs.core.thread import Thread
from graphjobs.core.times import Clock, now_ms

PATIENCE: Final = Retry(tries=12, seconds=10)
"""For changing a thread, which a person waits for."""


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


def delete_thread(read: Callable[[], Thread], threads: ThreadStore, *, clock: Clock = now_ms) -> None:
    """Delete the thread that `read` gives: it is gone for everybody, and its jobs are asked to stop.

    The reconciler then ends these, and erases all of it. Whoever calls has seen to it that it is not deleted yet.

    Raises:
        Contended: others changed it at every try.
        ClientError, BotoCoreError: as DynamoDB answers; and what `read` raises.
    """
    for _ in PATIENCE:
        before, now = read(), clock()
        try:
            threads.commit(threads.touched(replace(before, deleting=True, due_at=now), now))
        except RowChanged:
            continue
        for job_id in (before.turn, *before.waiting):
            if job_id is not None:
                threads.ask_to_stop(job_id)
        return
    raise Contended(before.thread_id)


def _commit(job: Job, rule: Decide, jobs: JobStore, transitions: Transitions, clock: Clock) -> Job:
    # Whoever never ran, or is running, needs no look at the log: nothing is in it, or nothing will be written.
    known = (job, None) if job.epoch == 0 or job.held(clock()) else None
    applied = transitions.commit(job.job_id, rule, nonce=new_nonce(), known=known)
    after = jobs.get(job.job_id) if isinstance(applied, Refusal) else applied.job
    if after is None:
        raise JobGone(job.job_id)
    return after
