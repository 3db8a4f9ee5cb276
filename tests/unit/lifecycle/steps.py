"""What tests of a job's life do again and again."""

from __future__ import annotations

from graphjobs.aws import cancel as cancelling
from graphjobs.aws.claims import Claim, Claims
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.core.job import Job
from tests.support.backend import Backend, transitions_of
from tests.support.faults import Faults


def claimed(aws: Backend, job: Job) -> Claim:
    """A claim that must succeed."""
    claim = aws.claims.claim(job.job_id, model="offline")
    assert isinstance(claim, Claim)
    return claim


def row(aws: Backend, job: Job) -> Job:
    """The row now."""
    found = aws.jobs.get(job.job_id)
    assert found is not None
    return found


def types(aws: Backend, job: Job) -> list[str]:
    """The types of all events."""
    return [event["type"] for event in aws.events(job.job_id)]


def done(aws: Backend, job: Job) -> dict[str, object]:
    """What the last event says, which must be ``done``."""
    last = aws.events(job.job_id)[-1]
    assert last["type"] == "done"
    data: dict[str, object] = last["data"]
    return data


def lapse(aws: Backend) -> None:
    """Every lease runs out."""
    aws.clock.advance(aws.settings.lease_seconds + 1)


class Shaky:
    """The parts again, over a client with `faults`."""

    def __init__(self, aws: Backend) -> None:
        self.faults = Faults(aws.dynamodb)
        self.clock = aws.clock
        self.jobs = JobStore(self.faults.client, "jobs")
        self.log = DynamoEventLog(self.faults.client, "events", PayloadStore(aws.s3, "payloads"))
        retention = aws.settings.thread_retention_seconds
        self.transitions = transitions_of(
            self.faults.client, self.jobs, self.log, aws.clock, thread_retention_seconds=retention
        )
        self.claims = Claims(self.jobs, self.transitions, aws.settings, clock=aws.clock)

    def cancel(self, job: Job) -> Job:
        """Cancel `job` as read."""
        return cancelling.cancel(job, self.jobs, self.transitions, clock=self.clock)


def cancel(aws: Backend, job: Job) -> Job:
    """Cancel the job, as the API does: on the row as it is now."""
    return cancelling.cancel(row(aws, job), aws.jobs, aws.transitions, clock=aws.clock)
