"""The job of a worker that is known to be dead can be claimed at once; anybody else's is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphjobs.aws.queue import JobQueue
from graphjobs.core.job import Job, Status
from graphjobs.local.lost_worker import InHand, give_back
from graphjobs.testing import MemoryQueue

JOB = Job(
    job_id="job-1",
    owner="user-1",
    graph="chat",
    status=Status.RUNNING,
    created_at=1,
    deadline_at=100_000,
    expires_at=1_000,
    epoch=2,
    lease_until=50_000,
)


class Jobs:
    def __init__(self, job: Job | None) -> None:
        self.job = job

    def get(self, job_id: str) -> Job | None:
        return self.job

    def update(self, before: Job, after: Job, *, guard: tuple[str, ...]) -> Job:
        assert guard == ("status", "epoch")
        self.job = after
        return after


@pytest.mark.parametrize(
    ("job", "lease"),
    [
        (JOB, 0),
        (replace(JOB, epoch=3), 50_000),
        (replace(JOB, status=Status.COMPLETED), 50_000),
    ],
    ids=["its own", "another claim's", "ended"],
)
def test_only_the_lease_of_the_lost_workers_own_claim_ends(job: Job, lease: int) -> None:
    jobs, queue = Jobs(job), MemoryQueue()
    give_back(InHand(job.job_id, "receipt", epoch=2), jobs, JobQueue(queue, "queue"))  # type: ignore[arg-type]
    assert jobs.job is not None and jobs.job.lease_until == lease
    assert queue.calls == [("visibility", "receipt", 0)]


def test_a_message_that_was_not_claimed_yet_comes_back_at_once() -> None:
    jobs, queue = Jobs(JOB), MemoryQueue()
    give_back(InHand("job-1", "receipt"), jobs, JobQueue(queue, "queue"))  # type: ignore[arg-type]
    assert jobs.job == JOB
    assert queue.calls == [("visibility", "receipt", 0)]
