"""How many jobs come before one that is queued, as far as that can be known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from graphjobs.core.job import Job, Status

if TYPE_CHECKING:
    from graphjobs.aws.job_store import JobStore
    from graphjobs.aws.thread_store import ThreadStore

LOOKS_BACK: Final = 100
"""Jobs of the same owner, created before, among which those that are queued are counted."""


def place_in_queue(job: Job, jobs: JobStore, threads: ThreadStore) -> dict[str, Any] | None:
    """``{"ahead", "of"}``; None for a job that is not queued. One read.

    In its thread's queue that is exact. The queue of all jobs tells nobody's place, and takes owners in turn, so what
    counts is how many of the same owner came before.
    """
    if job.status is not Status.QUEUED:
        return None
    if job.waiting:
        thread = threads.get(job.thread)
        if thread is not None and job.job_id in thread.waiting:
            return {"ahead": thread.waiting.index(job.job_id) + 1, "of": "thread"}
    return {"ahead": jobs.lists.queued_before(job, limit=LOOKS_BACK), "of": "owner"}
