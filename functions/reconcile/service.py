"""The reconciler: what makes "every accepted job ends" true whatever crashes.

It looks at the jobs that are due in the sparse index, a page at a time, and does for each the one thing that its
row asks for: send a message (never sent, lost, or its worker was lost), or end it (past the deadline, out of
attempts, cancelled while nobody ran it). Each step is conditional on the row as read, so two runs at once are as
good as one; a message too many is acknowledged by the worker. It sends at most `MAX_SENDS` messages a run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.claims import new_nonce, verdict
from graphjobs.job import Job, Status
from graphjobs.job_store import GUARD, JobStore, RowChanged
from graphjobs.outcome import ending
from graphjobs.queue import RESEND_AFTER_MS, JobQueue
from graphjobs.schema import ACTIVE_SHARDS
from graphjobs.settings import Settings
from graphjobs.slot import Slot
from graphjobs.times import Clock, now_ms
from graphjobs.transition import Change, Contended, JobGone, Transitions

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

PAGE: Final = 50
MAX_PAGES: Final = 20
MAX_SENDS: Final = 200


class Done(StrEnum):
    """What was done for one job."""

    NOTHING = "nothing"
    SENT = "sent"
    ENDED = "ended"


@dataclass(slots=True)
class Reconciler:
    """Looks after the jobs that are due."""

    jobs: JobStore
    transitions: Transitions
    queue: JobQueue
    settings: Settings
    logger: Logger
    clock: Clock = now_ms

    def run(self) -> dict[Done, int]:
        """Look at all due jobs, within the bounds above; returns how many were treated how."""
        counts = dict.fromkeys(Done, 0)
        for shard in range(ACTIVE_SHARDS):
            self._shard(shard, counts)
        return counts

    def _shard(self, shard: int, counts: dict[Done, int]) -> None:
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            due = [job_id for job_id in self.jobs.due(shard, self.clock(), limit=PAGE) if job_id not in seen]
            if not due:
                return  # none left, or the index has not yet caught up with what was done
            for job_id in due:
                if counts[Done.SENT] >= MAX_SENDS:
                    return
                seen.add(job_id)
                counts[self._look(job_id)] += 1

    def _look(self, job_id: str) -> Done:
        """One job; a failure is logged and leaves it due, so that one bad row holds up no other."""
        try:
            return self._treat(job_id)
        except (RowChanged, JobGone):
            return Done.NOTHING  # somebody else was first, which is as good
        except (ClientError, BotoCoreError, Contended) as error:
            self.logger.warning("not reconciled", extra={"job_id": job_id, "error": str(error)})
            return Done.NOTHING

    def _treat(self, job_id: str) -> Done:
        job = self.jobs.get(job_id)
        now = self.clock()
        if job is None or job.status.terminal or job.held(now) or job.due_at > now:
            return Done.NOTHING
        if verdict(job, now, self.settings) is None:
            return self._send(job, now)
        applied = self.transitions.commit(job_id, self._end, nonce=new_nonce())
        if applied is None:
            return Done.NOTHING
        self.logger.warning("ended a stuck job", extra={"job_id": job_id, "status": applied.job.status.value})
        return Done.ENDED

    def _end(self, job: Job, tail: Slot | None) -> Change | None:
        now = self.clock()
        if job.status.terminal or job.held(now):
            return None
        outcome = verdict(job, now, self.settings)
        return ending(job, tail, outcome, now) if outcome else None

    def _send(self, job: Job, now: int) -> Done:
        wait = int(self.settings.lease_seconds * 1000)
        if job.status is Status.QUEUED:
            wait = RESEND_AFTER_MS * 2 ** min(job.sends, 16)
        due = min(now + wait, job.deadline_at)
        sent = replace(job, sent_at=now, sends=job.sends + 1, due_at=due)
        # The row first: of two reconcilers one sends. Should it crash in between, the job is due again.
        self.jobs.update(job, sent, guard=(*GUARD, "due_at"))
        self.queue.send(job.job_id)
        self.logger.warning("sent again", extra={"job_id": job.job_id, "status": job.status.value})
        return Done.SENT
