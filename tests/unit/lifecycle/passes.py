"""Passes of the reconciler, and jobs for it to look at."""

from __future__ import annotations

from graphjobs.aws.erasure import Erasure
from graphjobs.aws.queue import RESEND_AFTER_MS, JobQueue, job_id_of
from graphjobs.core.job import Job
from graphjobs.observability import logger
from graphjobs.reconcile.service import Reconciler, Stores
from tests.support.backend import Backend
from tests.support.faults import Faults
from tests.unit.lifecycle.steps import Shaky

LOGGER = logger("reconcile")


class Pass:
    """A reconciler over clients that can be made to fail."""

    def __init__(self, aws: Backend) -> None:
        shaky = Shaky(aws)
        self.dynamodb, self.sqs = shaky.faults, Faults(aws.sqs)
        queue = JobQueue(self.sqs.client, aws.settings.queue_url)
        erasure = Erasure(shaky.faults.client, aws.s3, aws.threads, aws.states, aws.settings)
        stores = Stores(shaky.jobs, shaky.transitions, queue, aws.threads, erasure)
        self.reconciler = Reconciler(stores, aws.settings, LOGGER, aws.clock)

    def run(self) -> dict[str, int]:
        """One pass; returns what it did, without what it did not."""
        return {done.value: count for done, count in self.reconciler.run().items() if count}


def sent(aws: Backend) -> list[str]:
    """The jobs that messages are waiting for, in some order; the messages are gone then."""
    jobs = []
    while messages := aws.messages():
        jobs += [job_id_of(message["Body"]) for message in messages]
    return sorted(jobs)


def announced(aws: Backend, timeout: int = 3600) -> Job:
    """A queued job as `create_job` leaves it: with a message."""
    now = aws.clock()
    due = now + min(RESEND_AFTER_MS, timeout * 1000)
    return aws.new_job(timeout=timeout, sent_at=now, sends=1, due_at=due)


def overdue(aws: Backend) -> Job:
    """A job that will be past its deadline in ten seconds."""
    return aws.new_job(timeout=10, due_at=aws.clock() + 10_000)


def unsent(aws: Backend) -> Job:
    """A job whose message was never sent, which is taken for a crash in fifteen seconds."""
    return aws.new_job()
