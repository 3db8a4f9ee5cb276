"""Cancel: ends a job that nobody is running, and asks the worker of one that is running to stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from graphjobs.aws.claims import new_nonce
from graphjobs.aws.job_store import JobStore, RowChanged
from graphjobs.aws.transition import Contended, Transitions
from graphjobs.core.change import Change
from graphjobs.core.job import Job, Status
from graphjobs.core.outcome import CANCELLED, ending
from graphjobs.core.slot import Slot
from graphjobs.core.times import Clock, now_ms

MAX_TRIES: Final = 8


def cancel(job: Job, jobs: JobStore, transitions: Transitions, *, clock: Clock = now_ms) -> Job:
    """Cancel `job` (as just read) and return it as it is then: terminal, or ``cancelling`` while it is run.

    Safe to repeat; a terminal job is returned as it is.

    Raises:
        Contended: its row changed at every try.
        ClientError, BotoCoreError: see `Transitions.commit`.
    """

    def decide(row: Job, tail: Slot | None) -> Change | None:
        now = clock()
        if row.status.terminal or row.held(now):
            return None
        return ending(row, tail, CANCELLED, now)

    for _ in range(MAX_TRIES):
        if job.status.terminal:
            return job
        if not job.held(clock()):
            known = (job, None) if job.epoch == 0 else None
            applied = transitions.commit(job.job_id, decide, nonce=new_nonce(), known=known)
            if applied is not None:
                return applied.job
        elif job.status is Status.CANCELLING:
            return job
        else:
            try:
                # The lease may be renewed meanwhile: that is no reason to look again.
                return jobs.update(job, replace(job, status=Status.CANCELLING), guard=("status", "epoch"))
            except RowChanged:
                pass  # claimed, finished or handed on in between: decide again on the row as it is now
        job = jobs.get(job.job_id) or job
    raise Contended(job.job_id)
