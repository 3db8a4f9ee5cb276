"""`Transitions.commit`: the one operation that changes a job's state, a transaction over the row and the next slot.

Claim, finish, release, cancel and expiry, by whomever, are a rule of `graphjobs.core.lifecycle` committed here.
What holds:

* With events, the row is changed if and only if the slot is written. So the row is terminal if and only if the log
  ends with ``done``, and after a claim the previous owner's next slot is taken: it can write nothing more.
* The end of a job changes its thread in the same transaction: its head, and whose turn it is.
* A change without events is one conditional update of the row.
* A transition whose answer was lost is recognised by its nonce in the tail slot, or by a row that is already as the
  rule wants it, and is not made twice.
* Whatever a try failed for (a condition, a conflict, throttling, an answer that was lost), the next one reads row and
  tail again and asks the rule again.

The job that is given the turn gets its message right after; a crash in between leaves that to the reconciler.

Cost: one transaction (two write units per kilobyte) or one update, and two consistent reads unless the caller has
just read.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.clients import is_transient, lost_a_race
from graphjobs.aws.job_store import JobStore, RowChanged
from graphjobs.aws.queue import UNSENT_GRACE_MS
from graphjobs.aws.retry import Retry
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.core import turns
from graphjobs.core.change import Applied, Change, Decide, Refusal, Situation
from graphjobs.core.event import Event
from graphjobs.core.job import Job, Status
from graphjobs.core.slot import Slot, freeze
from graphjobs.core.thread import Thread
from graphjobs.core.times import Clock, now_ms, rfc3339
from graphjobs.core.turns import Turn
from graphjobs.core.version import NewerVersion

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from graphjobs.aws.dynamo_log import DynamoEventLog

PATIENCE: Final = Retry(tries=12, seconds=30)


class Contended(Exception):
    """Other transactions were in the way at every try; the caller may try again later."""


class Transitions:
    """Commits what the rules of a job's life want."""

    def __init__(
        self,
        client: DynamoDBClient,
        jobs: JobStore,
        log: DynamoEventLog,
        *,
        threads: ThreadStore,
        announce: Callable[[str, str], None],
        clock: Clock = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`announce` sends the message of a job (id, owner) that is given a turn; else the reconciler sends it."""
        self._client = client
        self._jobs = jobs
        self._log = log
        self._threads = threads
        self._announce = announce
        self._clock = clock
        self._sleep = sleep

    def commit(
        self, job_id: str, decide: Decide, *, nonce: str, known: tuple[Job, Slot | None] | None = None
    ) -> Applied | Refusal:
        """Decide and commit, again on fresh reads as often as it did not go through.

        Args:
            job_id: the job.
            decide: a rule of `lifecycle`; pure, called once per try.
            nonce: new for every call of `commit`; what the slot is recognised by.
            known: row and tail as just read, to save the reads of the first try. A tail that is given as None
                although the log has slots does no harm: the new slot then finds its key taken.

        Returns:
            What was committed, or why the rule wants nothing.

        Raises:
            Contended: other transactions were first at every try.
            ClientError, BotoCoreError: the backend fails for good; it may or may not have been committed.
        """
        change: Change | None = None
        decided_on: Job | None = None
        turn: Turn | None = None
        for tries, last in enumerate(PATIENCE.paced(self._sleep)):
            read = known or self._read(job_id)
            if read is None:
                return Refusal.GONE
            known = None
            job, tail = read
            if change is not None and tail is not None and tail.nonce == nonce:
                return self._told(
                    Applied(job, tail, change.outcome, before=decided_on), turn
                )  # an earlier try whose answer was lost
            answer = decide(Situation(job, tail, self._clock()))
            if isinstance(answer, Refusal):
                return answer
            change, decided_on = answer, job
            try:
                thread, turn = self._thread_after(job, change, again=tries > 0)
                if thread is not None:
                    change = replace(change, job=replace(change.job, thread_id=thread.thread_id))
                applied = self._write(job, tail, change, nonce, thread, turn)
            except RowChanged:
                pass
            except (ClientError, BotoCoreError) as error:
                raced = isinstance(error, ClientError) and lost_a_race(error)
                if not raced and (last or not is_transient(error)):
                    raise
            else:
                return self._told(applied, turn)
        raise Contended(job_id)

    def _told(self, applied: Applied, turn: Turn | None) -> Applied:
        if turn is not None:
            self._announce(turn.job_id, applied.job.owner)
        return applied

    def _thread_after(self, job: Job, change: Change, *, again: bool) -> tuple[Thread | None, Turn | None]:
        """What the end of a job makes of its thread; nothing for any other change, or without a thread.

        With `again`, since a try has failed, whoever is to have the turn is looked for: its row may be gone.
        """
        outcome, now = change.outcome, self._clock()
        if outcome is None:
            return None, None
        if job.thread_id is not None:
            thread = self._threads.get(job.thread_id)
            if thread is None:
                return None, None  # deleted: the job ends by itself
        elif outcome.status is Status.INTERRUPTED:
            thread = turns.own_thread(job, None, now)
        else:
            return None, None
        after, turn = turns.ended(thread, replace(change.job, start=job.start), outcome)
        while again and turn is not None and self._is_gone(turn.job_id):
            after, turn = turns.without(after, {turn.job_id})
        # What a job has saved it has saved by its deadline, however long it took until somebody could end it.
        return self._threads.touched(after, now, min(now, job.deadline_at)), turn

    def _is_gone(self, job_id: str) -> bool:
        try:
            return self._jobs.get(job_id) is None
        except NewerVersion:
            return False

    def _write(
        self, job: Job, tail: Slot | None, change: Change, nonce: str, thread: Thread | None, turn: Turn | None
    ) -> Applied:
        if not change.events:
            after = job if change.job == job else self._jobs.update(job, change.job)
            return Applied(after, tail, before=job)
        slot = self._slot(job, tail, change, nonce)
        self._log.save_body(slot)
        items: list[Any] = [{"Update": self._jobs.change(job, change.job)}, {"Put": self._log.put(slot)}]
        if thread is not None:
            items.append({"Update": self._threads.change(thread)})
        if turn is not None:
            items.append({"Update": self._threads.give(turn, self._clock() + UNSENT_GRACE_MS)})
        if job.owner_limit and change.job.status.terminal:
            items.append({"Update": self._jobs.owner_limit.given_back(job)})
        self._client.transact_write_items(TransactItems=items)
        return Applied(change.job, slot, change.outcome, thread, job)

    def _read(self, job_id: str) -> tuple[Job, Slot | None] | None:
        # Row first: a slot that is written between the two reads makes the tail newer than the row, never
        # older, and the condition on either then fails.
        job = self._jobs.get(job_id)
        return (job, self._log.tail(job_id)) if job else None

    def _slot(self, job: Job, tail: Slot | None, change: Change, nonce: str) -> Slot:
        first = tail.next_seq if tail else 1
        ts = rfc3339(self._clock())
        lines = [Event(first + i, kind, ts, data).line() for i, (kind, data) in enumerate(change.events)]
        return freeze(job.job_id, first, lines, nonce=nonce, mark=change.mark, expires_at=job.log_expires_at)


def new_nonce() -> str:
    """A nonce for a claim or a transition."""
    return uuid.uuid4().hex
