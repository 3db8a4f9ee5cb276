"""`transition`: the one operation that changes a job's state, a transaction over the row and the next slot.

Claim and finish, by worker, cancel and reconciler alike, are a decision (a pure function of the row and the
tail slot) committed here. What holds:

* The row is changed if and only if the slot is written. So the row is terminal if and only if the log ends
  with ``done``, and after a claim the previous owner's next slot is taken: it can write nothing more.
* A transition whose answer was lost is recognised by its nonce in the tail slot and not made twice.
* Only a failed condition leads to another decision on fresh reads; a conflict or throttling only to a retry.

Cost: one transaction (two write units a kilobyte), and two consistent reads unless the caller has just read.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.clients import is_transient
from graphjobs.aws.job_store import JobStore, lost_a_race
from graphjobs.aws.schema import EVENTS_KEEP_SECONDS
from graphjobs.core.change import Applied, Change, Decide
from graphjobs.core.event import Event
from graphjobs.core.job import Job
from graphjobs.core.slot import Slot, freeze
from graphjobs.core.times import Clock, now_ms, rfc3339

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from graphjobs.aws.dynamo_log import DynamoEventLog

MAX_TRIES: Final = 12
BACKOFF_SECONDS: Final = 0.02
BACKOFF_CAP_SECONDS: Final = 1.0


class JobGone(Exception):
    """There is no such row."""


class Contended(Exception):
    """Other transactions were in the way at every try; the caller may try again later."""


class Transitions:
    """Commits decisions on jobs."""

    def __init__(
        self,
        client: DynamoDBClient,
        jobs: JobStore,
        log: DynamoEventLog,
        *,
        clock: Clock = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._jobs = jobs
        self._log = log
        self._clock = clock
        self._sleep = sleep

    def commit(
        self, job_id: str, decide: Decide, *, nonce: str, known: tuple[Job, Slot | None] | None = None
    ) -> Applied | None:
        """Decide and commit, again on fresh reads as often as another was first.

        Args:
            job_id: the job.
            decide: pure; called once a try.
            nonce: new for every call of `commit`; what the slot is recognised by.
            known: row and tail as just read, to save the reads of the first try.

        Returns:
            What was committed; None if `decide` wanted nothing.

        Raises:
            JobGone: no row.
            Contended: `MAX_TRIES` tries were not enough.
            ClientError, BotoCoreError: the backend fails for good; it may or may not have been committed.
        """
        for attempt in range(MAX_TRIES):
            job, tail = known or self._read(job_id)
            if tail is not None and tail.nonce == nonce:
                return Applied(job, tail)  # an earlier try whose answer was lost
            known = None
            change = decide(job, tail)
            if change is None:
                return None
            slot = self._slot(job, tail, change, nonce)
            try:
                self._log.save_body(slot)
                self._client.transact_write_items(
                    TransactItems=[
                        {"Update": self._jobs.change(job, change.job)},  # type: ignore[typeddict-item]
                        {"Put": self._log.put(slot)},  # type: ignore[typeddict-item]
                    ]
                )
            except (ClientError, BotoCoreError) as error:
                raced = isinstance(error, ClientError) and lost_a_race(error)
                if not raced and (not is_transient(error) or attempt == MAX_TRIES - 1):
                    raise
                self._sleep(backoff(attempt))
            else:
                return Applied(change.job, slot)
        raise Contended(job_id)

    def _read(self, job_id: str) -> tuple[Job, Slot | None]:
        # Row first: a slot that is written between the two reads makes the tail newer than the row, never
        # older, and the condition on either then fails.
        job = self._jobs.get(job_id)
        if job is None:
            raise JobGone(job_id)
        return job, self._log.tail(job_id)

    def _slot(self, job: Job, tail: Slot | None, change: Change, nonce: str) -> Slot:
        first = tail.next_seq if tail else 1
        ts = rfc3339(self._clock())
        lines = [Event(first + i, kind, ts, data).line() for i, (kind, data) in enumerate(change.events)]
        return freeze(job.job_id, first, lines, nonce=nonce, mark=change.mark, expires_at=log_expires_at(job))


def log_expires_at(job: Job) -> int:
    """TTL of a job's slots, in epoch seconds: a day after the row."""
    return job.expires_at + EVENTS_KEEP_SECONDS


def backoff(attempt: int) -> float:
    """Seconds to wait before try `attempt` + 1: exponential, capped, with full jitter."""
    return random.uniform(0, min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2**attempt))
