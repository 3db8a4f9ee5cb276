"""The reconciler: what makes "every accepted job ends" true whatever crashes.

It looks at the jobs that are due in the sparse index, a page at a time, and does for each the one thing that its
row asks for: send a message (never sent, lost, or its worker was lost), end it (past the deadline, out of
attempts, cancelled while nobody ran it), or erase it (deleted). Each step is conditional on the row as read, so two
runs at once are as good as one; the worker acknowledges an extra message. It sends at most `MAX_SENDS` messages per
run, but ends all that must end. What fails is counted and left due; the rest of the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.erasure import ZOMBIE_MS, Erasure
from graphjobs.aws.job_items import THREAD_PREFIX
from graphjobs.aws.job_store import GUARD, JobStore, RowChanged
from graphjobs.aws.queue import RESEND_AFTER_MS, JobQueue
from graphjobs.aws.retry import JITTER
from graphjobs.aws.schema import ACTIVE_SHARDS
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.aws.transition import Transitions, new_nonce
from graphjobs.core import lifecycle
from graphjobs.core.change import Refusal
from graphjobs.core.job import Job, Status
from graphjobs.core.lifecycle import Policy
from graphjobs.core.settings import Settings
from graphjobs.core.times import Clock, now_ms
from graphjobs.core.version import NewerVersion

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

PAGE: Final = 50
MAX_PAGES: Final = 20
MAX_SENDS: Final = 200
EARLIER: Final = 0.05


class Done(StrEnum):
    """What was done for one job."""

    NOTHING = "nothing"
    SENT = "sent"
    ENDED = "ended"
    ERASED = "erased"
    WAITING = "waiting"
    """Its message is left to a later run: this one has sent enough."""
    FAILED = "failed"
    """It stays due, and is looked at again by the next run; also counted for a shard that could not be read."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where jobs and threads are, and what changes and erases them."""

    jobs: JobStore
    transitions: Transitions
    queue: JobQueue
    threads: ThreadStore
    erasure: Erasure


@dataclass(slots=True)
class Reconciler:
    """Looks after the jobs that are due."""

    stores: Stores
    settings: Settings
    logger: Logger
    clock: Clock = now_ms
    on_end: Callable[[Job], object] = lambda job: None
    """Told of each job that it ended."""

    def run(self) -> dict[Done, int]:
        """Look at all due jobs, within the bounds above; returns how many were treated how."""
        counts = dict.fromkeys(Done, 0)
        for shard in range(ACTIVE_SHARDS):
            self._shard(shard, counts)
        return counts

    def _shard(self, shard: int, counts: dict[Done, int]) -> None:
        # Paged by key, not by asking for the first page again: jobs that stay due must not hide those after them.
        after: Any = None
        for _ in range(MAX_PAGES):
            try:
                due, after = self.stores.jobs.lists.due(shard, self.clock(), limit=PAGE, after=after)
            except (ClientError, BotoCoreError) as error:
                self.logger.error("due jobs not read", extra={"shard": shard, "error": str(error)})
                counts[Done.FAILED] += 1
                return
            for name in due:
                counts[self.look(name, may_send=counts[Done.SENT] < MAX_SENDS)] += 1
            if after is None:
                return

    def look(self, name: str, *, may_send: bool) -> Done:
        """Do for one job, or thread (by its key), what it is due for, if it is.

        Whatever fails leaves it due and holds up no other: the backend, or a row gone bad.
        """
        try:
            if name.startswith(THREAD_PREFIX):
                return self._treat_thread(name.removeprefix(THREAD_PREFIX))
            return self._treat(name, may_send)
        except RowChanged:
            return Done.NOTHING  # somebody else was first, which is as good
        except NewerVersion:
            return Done.NOTHING  # the release that wrote it looks after it once it is back
        except Exception:
            self.logger.exception("not reconciled", extra={"job_id": name})
            return Done.FAILED

    def _treat(self, job_id: str, may_send: bool) -> Done:
        job = self.stores.jobs.get(job_id)
        now = self.clock()
        if job is None or job.held(now) or job.due_at > now:
            return Done.NOTHING
        if job.status.terminal:
            return self._erase(job, now) if job.deleting else Done.NOTHING
        if lifecycle.verdict(job, now, self._policy) is None:
            if job.waiting:
                return Done.NOTHING
            if (job.not_before or 0) > now:
                self._note(job, replace(job, due_at=int(job.not_before or 0)))
                return Done.NOTHING
            return self._send(job, now) if may_send else Done.WAITING
        rule = partial(lifecycle.expire, policy=self._policy)
        applied = self.stores.transitions.commit(job_id, rule, nonce=new_nonce())
        if isinstance(applied, Refusal):
            return Done.NOTHING  # somebody else was first, which is as good
        job = applied.job
        left = lifecycle.left(applied.before) if applied.before else None
        extra = {"job_id": job_id, "status": job.status.value, "code": applied.code, **_who(job), "left": left}
        self.logger.warning("ended a stuck job", extra=extra)
        self.on_end(job)
        return Done.ENDED

    def _erase(self, job: Job, now: int) -> Done:
        again = self.stores.erasure.erase(job, now)
        if again is not None:
            self._note(job, replace(job, due_at=again))
        self.logger.info("erased", extra={"job_id": job.job_id, "again_at": again})
        return Done.ERASED

    def _treat_thread(self, thread_id: str) -> Done:
        """A thread that is deleted: its jobs first, each by itself; then its states, and at last its row."""
        thread, now = self.stores.threads.get(thread_id), self.clock()
        if thread is None or not thread.deleting or thread.due_at > now:
            return Done.NOTHING
        for job_id in self.stores.erasure.jobs_of(thread):
            self.stores.transitions.commit(job_id, lifecycle.delete, nonce=new_nonce())
        thread = self.stores.threads.get(thread_id) or thread  # those that have ended have changed it
        jobs = [self.stores.jobs.get(job_id) for job_id in (thread.turn, *thread.waiting) if job_id is not None]
        again = thread.updated_at + ZOMBIE_MS
        if any(job is not None and not job.status.terminal for job in jobs):
            again = now + int(self.settings.lease_seconds * 1000)
        self.stores.erasure.erase_states(thread)
        if again > now:
            self.stores.threads.commit(replace(thread, revision=thread.revision + 1, due_at=again))
        else:
            self.stores.threads.delete(thread)
        self.logger.info("thread erased", extra={"thread_id": thread_id, "again_at": again})
        return Done.ERASED

    @property
    def _policy(self) -> Policy:
        return Policy.of(self.settings)

    def _send(self, job: Job, now: int) -> Done:
        # Twice as long each time: in a long backlog the message is not lost, only not taken yet.
        first = RESEND_AFTER_MS if job.status is Status.QUEUED else int(self.settings.lease_seconds * 1000)
        wait = first * 2 ** min(job.sends, 16)
        # A little earlier, by chance: of two reconcilers each then knows its own update from the other's.
        due = min(now + wait - int(JITTER.random() * wait * EARLIER), job.deadline_at)
        sent = replace(job, sent_at=now, sends=job.sends + 1, due_at=due)
        # The row first: of two reconcilers one sends. Should it crash in between, the job is due again later.
        self._note(job, sent)
        try:
            self.stores.queue.send(job.job_id, job.owner)
        except (ClientError, BotoCoreError):
            # Due again at the next run, not only when a message that was sent would be taken for lost.
            with suppress(RowChanged):
                unsent = replace(sent, sent_at=job.sent_at, sends=job.sends, due_at=job.due_at)
                self._note(sent, unsent)
            raise
        extra = {"job_id": job.job_id, "status": job.status.value, **_who(job), "left": lifecycle.left(job)}
        self.logger.warning("sent again", extra=extra)
        return Done.SENT

    def _note(self, before: Job, after: Job) -> None:
        try:
            self.stores.jobs.update(before, after, guard=(*GUARD, "due_at"))
        except RowChanged:
            # Unless it was changed by this very update, made again by the SDK since its answer was lost.
            if self.stores.jobs.get(before.job_id) != after:
                raise


def _who(job: Job) -> dict[str, int]:
    """Of which claim a log line is."""
    return {"epoch": job.epoch, "attempt": job.attempt}
