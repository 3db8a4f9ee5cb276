"""Whose job or thread it is: the one rule by which every address of one answers, over the API and on the stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphjobs.core.job import Job, is_job_id
from graphjobs.core.thread import Thread, is_thread_id
from graphjobs.core.version import NewerVersion
from graphjobs.http.problem import job_not_found, owner_not_found, thread_not_found, unavailable

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from graphjobs.auth.principal import Principal
    from graphjobs.aws.job_store import JobStore
    from graphjobs.aws.thread_store import ThreadStore


@dataclass(frozen=True, slots=True)
class AdminUse:
    """What an administrator may do to what is another's: `action`, such as ``cancel``, and where that is written down.

    Who asks for a job or a thread without one gets it for its owner alone: no use of the right goes without its line.
    """

    logger: Logger
    action: str

    def permits(self, caller: Principal, **what: str) -> bool:
        """Whether `caller` may do so; `what` names the thing in the log line."""
        if caller.admin:
            extra = {"administrator": caller.sub, "action": self.action, **what}
            self.logger.info("administrator", extra=extra)
        return caller.admin


def readable_job(jobs: JobStore, job_id: str, caller: Principal | None, now: int, use: AdminUse | None = None) -> Job:
    """The job, for its owner, and for an administrator who wants it for `use`.

    A `caller` of None has shown the ticket of just this job, whosever it is.

    Raises:
        Problem: 404 if it does not exist, has expired, was deleted or is another owner's; nobody can tell which. 503
            while an older release than the one that wrote it is in force.
    """
    try:
        job = jobs.get(job_id) if is_job_id(job_id) else None
    except NewerVersion:
        raise unavailable() from None
    if job is None or job.deleting or job.expired(now) or not _may(caller, job.owner, use, job_id=job.job_id):
        raise job_not_found()
    return job


def readable_thread(
    threads: ThreadStore, thread_id: str, caller: Principal, now: int, use: AdminUse | None = None
) -> Thread:
    """The thread, for its owner, and for an administrator who wants it for `use`.

    Raises:
        Problem: as for a job.
    """
    try:
        thread = threads.get(thread_id.lower()) if is_thread_id(thread_id.lower()) else None
    except NewerVersion:
        raise unavailable() from None
    if (
        thread is None
        or thread.deleting
        or thread.expired(now)
        or not _may(caller, thread.owner, use, thread_id=thread.thread_id)
    ):
        raise thread_not_found()
    return thread


def listed_owner(asked: str | None, caller: Principal, use: AdminUse) -> str:
    """Whose jobs are listed: the caller's own, or those of the owner that an administrator asks for.

    Raises:
        Problem: 404 for anybody else.
    """
    if asked is None:
        return caller.sub
    if not _may(caller, asked, use, owner=asked):
        raise owner_not_found()
    return asked


def _may(caller: Principal | None, whose: str, use: AdminUse | None, **what: str) -> bool:
    return caller is None or caller.sub == whose or (use is not None and use.permits(caller, **what))
