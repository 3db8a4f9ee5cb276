"""What becomes of the job of a worker process that was seen to die: it is taken up at once.

On AWS nobody sees a worker die: its job waits until the lease has lapsed. Here the parent process knows. That the
process has ended is certain, so letting its lease lapse early takes nothing from a living owner; and should the row
belong to somebody else by now, the epoch says so and nothing is changed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphjobs.aws.job_store import RowChanged

if TYPE_CHECKING:
    from graphjobs.aws.job_store import JobStore
    from graphjobs.aws.queue import JobQueue


@dataclass(slots=True)
class InHand:
    """What a worker process has in hand: a message and, once it is claimed, the job's epoch."""

    job_id: str
    receipt: str
    epoch: int | None = None


def give_back(lost: InHand, jobs: JobStore, queue: JobQueue) -> None:
    """End the lease of a lost worker and make its message visible.

    Raises:
        ClientError, BotoCoreError: the emulator does not answer; the job then waits for its lease.
    """
    job = jobs.get(lost.job_id)
    if job is not None and job.epoch == lost.epoch and not job.status.terminal:
        with suppress(RowChanged):
            jobs.update(job, replace(job, lease_until=0), guard=("status", "epoch"))
    queue.set_visibility(lost.receipt, 0)
