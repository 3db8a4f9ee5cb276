"""Accepting a job as a turn of a thread: thread, job and those it puts an end to, in one transaction."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.cancel import JobGone, cancel
from graphjobs.aws.clients import lost_a_race
from graphjobs.aws.job_items import Idempotency
from graphjobs.aws.job_store import JobStore, RowChanged
from graphjobs.aws.queue import UNSENT_GRACE_MS
from graphjobs.aws.retry import Retry
from graphjobs.aws.transition import Contended, Transitions
from graphjobs.core import turns
from graphjobs.core.job import Job
from graphjobs.core.thread import Position, Thread
from graphjobs.core.times import Clock
from graphjobs.core.turns import Fork, Joined, NotJoined
from graphjobs.core.version import NewerVersion
from graphjobs.http.problem import Problem, checkpoint_not_found, thread_not_found

if TYPE_CHECKING:
    from graphjobs.api.job_request import JobRequest
    from graphjobs.aws.dynamo_log import DynamoEventLog
    from graphjobs.aws.thread_history import ThreadHistory
    from graphjobs.aws.thread_store import ThreadStore

PATIENCE: Final = Retry(tries=12, seconds=10)

WHY_NOT: Final = {
    NotJoined.BUSY: "The thread has a job that has not ended yet.",
    NotJoined.FULL: f"{turns.MAX_WAITING} jobs are waiting for the thread already.",
    NotJoined.NO_SUCH_INTERRUPT: "The thread has no such open interrupt: it was answered, or never asked.",
    NotJoined.AMBIGUOUS: "The thread has several open interrupts: answer with {interrupt_id: value}.",
}


@dataclass(frozen=True, slots=True)
class Joining:
    """Puts jobs on threads."""

    jobs: JobStore
    threads: ThreadStore
    log: DynamoEventLog
    transitions: Transitions
    history: ThreadHistory
    clock: Clock

    def accept(self, job: Job, stored: str, asked: JobRequest, idempotency: Idempotency | None) -> tuple[Job, bool]:
        """Store `job` as the next of its thread; returns it and whether it is new.

        Raises:
            Problem: 404 or 409.
            KeyReused: see `JobStore.create`.
            Contended: others changed the thread at every try.
            ClientError, BotoCoreError: the backend is failing.
        """
        for tries, _ in enumerate(PATIENCE):
            now = self.clock()
            if idempotency is not None and (earlier := self.jobs.recorded(idempotency, now)):
                return earlier, False
            thread, also = self._thread(job, asked, now)
            if self._rid_of_gone(thread, now, all_of_them=tries > 0):
                continue
            joined = self._joined(thread, job, asked)
            also.append(self.threads.change(self.threads.touched(joined.thread, now)))
            rollback = asked.multitask_strategy == "rollback"
            also += [self.threads.stop(each, rollback=rollback) for each in joined.stops]
            try:
                created = self.jobs.create(joined.job, stored, idempotency, now, webhook=asked.webhook, also=also)
            except ClientError as error:
                if not lost_a_race(error):
                    raise
                continue  # the thread has changed: look again
            for each in joined.stops:
                self._end(each, rollback=rollback)
            return created
        raise Contended(job.job_id)

    def _joined(self, thread: Thread, job: Job, asked: JobRequest) -> Joined:
        command = asked.command.stored() if asked.command else None
        fork = self._fork(thread, asked.checkpoint_id, job) if asked.checkpoint_id else None
        if asked.graph is None and thread.graph:
            job = replace(job, graph=thread.graph)
        joined = turns.join(thread, job, asked.multitask_strategy or "enqueue", command, fork)
        if isinstance(joined, NotJoined):
            raise Problem(409, joined.value, WHY_NOT[joined])
        return joined

    def _thread(self, job: Job, asked: JobRequest, now: int) -> tuple[Thread, list[dict[str, Any]]]:
        """The thread that is asked for, found or made, and the updates that this needs."""
        thread_id = str(asked.thread_id)
        thread = self.threads.get(thread_id)
        if thread is not None and not thread.expired(now):
            if thread.deleting or thread.owner != job.owner:
                raise thread_not_found()
            return thread, []
        first = self.jobs.get(f"job-{thread_id}")
        if first is not None and not first.expired(now):
            if first.deleting or first.owner != job.owner or first.thread_id not in (None, thread_id):
                raise thread_not_found()
            if first.thread_id is None:
                return self._adopted(first, now)
            # Else its thread had a row, and has expired: it must not come back as it was after this job.
        if asked.if_not_exists != "create":
            raise thread_not_found()
        revision = thread.revision if thread else 0
        made = Thread(
            thread_id=thread_id, owner=job.owner, graph=job.graph, created_at=now, updated_at=now, expires_at=0
        )
        return replace(made, revision=revision), []

    def _rid_of_gone(self, thread: Thread, now: int, *, all_of_them: bool) -> bool:
        """Give on the turn of a job whose row has expired; whether that was so, and the thread is to be read again.

        Looked for here, since else nobody would come by: every further job would wait for a turn that never ends. Those
        that wait are looked at then, and with `all_of_them`: one that is gone may be why a try has failed.
        """
        if thread.turn is None or (not all_of_them and self._is_there(thread.turn, now)):
            return False
        gone = {each for each in (thread.turn, *thread.waiting) if not self._is_there(each, now)}
        if not gone:
            return False
        after, turn = turns.without(thread, gone)
        with suppress(RowChanged):
            self.threads.pass_on(self.threads.touched(after, now), turn, now + UNSENT_GRACE_MS)
        return True

    def _is_there(self, job_id: str, now: int) -> bool:
        try:
            job = self.jobs.get(job_id)
        except NewerVersion:
            return True
        return job is not None and not job.expired(now)

    def _adopted(self, first: Job, now: int) -> tuple[Thread, list[dict[str, Any]]]:
        """The thread of a job that was created without one: until now nobody had a use for its row.

        The job's row says from now on that there is one.
        """
        also = [self.jobs.change(first, replace(first, thread_id=first.thread))]
        if not first.status.terminal:
            return turns.own_thread(first, None, now), also
        tail = None if first.rollback else self.log.tail(first.job_id)
        mark = tail.mark if tail else None
        return turns.own_thread(first, Position(mark.thread, mark.checkpoint_id) if mark else None, now), also

    def _fork(self, thread: Thread, checkpoint_id: str, job: Job) -> Fork:
        """Where to begin: any checkpoint of the thread that can be seen, and will be there until the job's deadline.

        Its storage is there as long as its state is: see `Lifetimes`.
        """
        if thread.head is not None and thread.head.checkpoint_id == checkpoint_id:
            return Fork(thread.head, thread.interrupts)
        note = self.history.find(thread, checkpoint_id, (job.deadline_at - job.created_at) / 1000)
        if note is None:
            raise checkpoint_not_found()
        return Fork(note.position, note.interrupts)

    def _end(self, job_id: str, *, rollback: bool) -> None:
        """End a job that was told to stop, if nobody runs it; should that fail, its next claim does it."""
        try:
            job = self.jobs.get(job_id)
            if job is not None:
                cancel(job, self.jobs, self.transitions, clock=self.clock, rollback=rollback)
        except (ClientError, BotoCoreError, Contended, JobGone):
            return
