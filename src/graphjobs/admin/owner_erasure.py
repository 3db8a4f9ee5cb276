"""Erasing an owner: everything that is stored of them, in an order in which a run that is cut can be made again.

Jobs and threads are deleted as their owner would do it, and then erased by the reconciler's own code, here and at once
instead of at its next run; whatever this run does not get to, that one finds. So a running job ends as cancelled
first. The rows go last, since by them the rest is found; the owner's counters go once every job has ended, which
changes them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from graphjobs.admin.owner_traces import Traces, traces_of
from graphjobs.aws import bulk
from graphjobs.aws import cancel as ending
from graphjobs.aws.erasure import ZOMBIE_MS
from graphjobs.aws.job_items import THREAD_PREFIX
from graphjobs.aws.transition import Contended
from graphjobs.core.version import NewerVersion
from graphjobs.reconcile.service import Done, Reconciler, Stores

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from graphjobs.aws.backend import Backend
    from graphjobs.core.thread import Thread

JOBS: Final = "rows of jobs"
THREADS: Final = "rows of threads"
ITEMS: Final = "items of the store"
COUNTERS: Final = "counters"
PASSES: Final = 3
"""How often it is looked for what has come meanwhile."""
POLL_SECONDS: Final = 1.0
NOT_YET: Final = 0
"""In place of a time until which a mark stays."""


@dataclass(slots=True)
class Erased:
    """What has become of everything.

    Attributes:
        removed: how many of what.
        marks: rows without content, of jobs and threads, and until when they stay (epoch milliseconds).
        left: what is still there, and why; to be tried again.
    """

    removed: Counter[str] = field(default_factory=Counter)
    marks: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


class OwnerErasure:
    """Erases one owner; every step may be made again."""

    def __init__(
        self,
        backend: Backend,
        owner: str,
        *,
        wait_seconds: float,
        sleep: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wait_seconds`: how long jobs that are run by a worker are given to end."""
        self._backend = backend
        self._owner = owner
        self._erased = Erased()
        self._sleep = sleep
        self._monotonic = monotonic
        self._wait_seconds = wait_seconds
        self._failures = _Failures()
        stores = Stores(backend.jobs, backend.transitions, backend.queue, backend.threads, backend.erasure)
        logger = cast("Logger", self._failures.logger)
        self._reconciler = Reconciler(stores, backend.settings, logger, backend.clock)

    def run(self) -> Erased:
        """Erase all that is found, and what comes meanwhile; what fails is in `Erased.left`.

        Raises:
            ClientError, BotoCoreError: the tables cannot be read, or the store not be written.
        """
        gives_up = self._monotonic() + self._wait_seconds
        jobs: set[str] = set()
        threads: set[str] = set()
        for _ in range(PASSES):
            found = traces_of(self._backend, self._owner)
            fresh = found.jobs - jobs, found.threads - threads
            if not any((*fresh, found.items, found.counters)):
                break
            jobs |= found.jobs
            threads |= found.threads
            self._delete(*fresh)
            self._settle(jobs, "", self._job_rests, gives_up)
            # After the jobs: a job that ends changes its thread, and saves a state before that.
            self._settle(threads, THREAD_PREFIX, self._thread_rests, gives_up)
            self._beside(found)
        rest = {*jobs, *threads} - self._erased.marks.keys() - self._erased.left.keys()
        self._erased.removed[JOBS] = len(rest & jobs)
        self._erased.removed[THREADS] = len(rest & threads)
        self._erased.removed += self._backend.erasure.removed
        return self._erased

    def _delete(self, jobs: set[str], threads: set[str]) -> None:
        """Mark all of it as deleted: from then on it is gone for everybody, and the reconciler knows of it."""
        for names, delete in ((threads, self._delete_thread), (jobs, self._delete_job)):
            for name in sorted(names):
                try:
                    delete(name)
                except ending.JobGone:
                    continue
                except (Contended, NewerVersion) as error:
                    self._erased.left[name] = _why(error)

    def _delete_job(self, job_id: str) -> None:
        backend = self._backend
        job = backend.jobs.get(job_id)
        if job is not None:
            ending.delete(job, backend.jobs, backend.transitions, clock=backend.clock)

    def _delete_thread(self, thread_id: str) -> None:
        def read() -> Thread:
            thread = self._backend.threads.get(thread_id)
            if thread is None or thread.deleting:
                raise ending.JobGone(thread_id)
            return thread

        ending.delete_thread(read, self._backend.threads, clock=self._backend.clock)

    def _settle(self, names: set[str], prefix: str, rests: Callable[[str], int | None], gives_up: float) -> None:
        """Have the reconciler's code look at each, until it is gone or nothing but a mark."""
        waiting = sorted(names - self._erased.left.keys())
        while waiting:
            waiting = [name for name in waiting if not self._settled(name, prefix, rests)]
            if not waiting or self._monotonic() >= gives_up:
                break
            self._sleep(POLL_SECONDS)
        for name in waiting:
            self._erased.left[name] = self._failures.of.get(prefix + name, "its worker has not let go of it yet")

    def _settled(self, name: str, prefix: str, rests: Callable[[str], int | None]) -> bool:
        self._failures.of.pop(prefix + name, None)
        if self._reconciler.look(prefix + name, may_send=False) is Done.ENDED:
            self._reconciler.look(prefix + name, may_send=False)  # what has ended is erased
        until = rests(name)
        if until == NOT_YET:
            return False
        if until is None:
            self._erased.marks.pop(name, None)
        else:
            self._erased.marks[name] = until
        return True

    def _job_rests(self, job_id: str) -> int | None:
        """Until when the row stays, without content; None if it is gone."""
        job = self._backend.jobs.get(job_id)
        if job is None:
            return None
        erased = job.deleting and job.status.terminal and job.due_at > self._backend.clock()
        return job.due_at if erased else NOT_YET

    def _thread_rests(self, thread_id: str) -> int | None:
        thread = self._backend.threads.get(thread_id)
        if thread is None:
            return None
        # Due earlier than that, it is only put off until its jobs have ended.
        erased = thread.deleting and thread.due_at >= thread.updated_at + ZOMBIE_MS
        return thread.due_at if erased else NOT_YET

    def _beside(self, found: Traces) -> None:
        """What is neither a job nor a thread."""
        settings = self._backend.settings
        self._erased.removed[ITEMS] += self._delete_items(settings.store_table, found.items)
        if not self._erased.left:
            keys = [{"pk": {"S": key}} for key in found.counters]
            self._erased.removed[COUNTERS] += self._delete_items(settings.jobs_table, keys)

    def _delete_items(self, table: str, keys: list[dict[str, Any]]) -> int:
        return bulk.delete(self._backend.dynamodb, table, keys)


def _why(error: Exception) -> str:
    return "written by a newer release" if isinstance(error, NewerVersion) else "others were changing it all the time"


class _Failures(logging.Handler):
    """What the reconciler's code has logged of failures, by job or thread: here it is said once, at the end."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.of: dict[str, str] = {}
        self.logger = logging.Logger("graphjobs.admin.erase")
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the reason."""
        error = record.exc_info[1] if record.exc_info else None
        self.of[record.__dict__["job_id"]] = str(error or record.getMessage())
