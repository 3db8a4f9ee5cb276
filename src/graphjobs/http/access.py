"""Whose job or thread it is: the one rule by which every address of one answers, over the API and on the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphjobs.core.job import Job, is_job_id
from graphjobs.core.thread import Thread, is_thread_id
from graphjobs.core.version import NewerVersion
from graphjobs.http.problem import job_not_found, thread_not_found, unavailable

if TYPE_CHECKING:
    from graphjobs.aws.job_store import JobStore
    from graphjobs.aws.thread_store import ThreadStore


def readable_job(jobs: JobStore, job_id: str, owner: str | None, now: int) -> Job:
    """The job, for `owner`; for None, who has shown the ticket of just this job, whosever it is.

    Raises:
        Problem: 404 if it does not exist, has expired, was deleted or is another owner's; nobody can tell which. 503
            while an older release than the one that wrote it is in force.
    """
    try:
        job = jobs.get(job_id) if is_job_id(job_id) else None
    except NewerVersion:
        raise unavailable() from None
    if job is None or job.deleting or job.expired(now) or (owner is not None and job.owner != owner):
        raise job_not_found()
    return job


def readable_thread(threads: ThreadStore, thread_id: str, owner: str, now: int) -> Thread:
    """The thread, for `owner`.

    Raises:
        Problem: as for a job.
    """
    try:
        thread = threads.get(thread_id.lower()) if is_thread_id(thread_id.lower()) else None
    except NewerVersion:
        raise unavailable() from None
    if thread is None or thread.deleting or thread.expired(now) or thread.owner != owner:
        raise thread_not_found()
    return thread
