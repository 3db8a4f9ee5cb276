"""What becomes of a job if nobody does anything, and so whether a message of it is of any use."""

from __future__ import annotations

from graphjobs.core import lifecycle
from graphjobs.core.job import Job
from graphjobs.core.lifecycle import Policy
from graphjobs.core.times import rfc3339


def in_the_way(job: Job, now: int, policy: Policy) -> str | None:
    """Why a worker that gets the job's message would not run it; None if it would."""
    if job.status.terminal:
        return f"it has ended as {job.status.value}"
    if job.expired(now):
        return "it is past its time to live"
    if job.held(now):
        return f"a worker has it, with a lease until {rfc3339(job.lease_until)}"
    over = lifecycle.verdict(job, now, policy)
    if over is not None:
        how = f"{over.status.value} ({over.code})" if over.code else over.status.value
        return f"it must not run any more: it is ended as {how} at its next look"
    if job.waiting:
        return "other jobs of its thread come first"
    if job.waits(now):
        return f"it is not to begin before {rfc3339(job.not_before or 0)}"
    return None


def next_step(job: Job, now: int, policy: Policy) -> str:
    """What happens next, in a few words."""
    reason = in_the_way(job, now, policy)
    if reason is not None:
        return reason
    if job.epoch == 0:
        return "its first message begins attempt 1"
    attempt = lifecycle.next_attempt(job)
    how = f"it was released ({job.released.value})" if job.released else "its worker was lost"
    return f"{how}: its next message begins claim {job.epoch + 1}, attempt {attempt} of {policy.max_attempts}"
