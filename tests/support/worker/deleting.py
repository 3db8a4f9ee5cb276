"""Deleting on a rig: a job as the API does it, and the reconciler that erases it."""

from __future__ import annotations

from typing import Any

from graphjobs.aws import cancel as cancelling
from graphjobs.aws.erasure import ZOMBIE_MS, Erasure
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.queue import JobQueue
from graphjobs.core.job import Job
from graphjobs.observability import logger
from graphjobs.reconcile.service import Reconciler, Stores
from graphjobs.testing import MemoryQueue
from tests.support.backend import transitions_of
from tests.support.worker.rig import Rig

LOGGER = logger("reconcile")


def delete(workers: Rig, job: Job) -> Job:
    """What ``DELETE /jobs/{job_id}`` does."""
    row = workers.row(job)
    return cancelling.delete(row, workers.aws.jobs, workers.aws.transitions, clock=workers.aws.clock)


def reconcile(workers: Rig, dynamodb: Any = None, s3: Any = None) -> dict[str, int]:
    """One run of the reconciler, on clients that may fail; what it did, without what it did not."""
    aws = workers.aws
    dynamodb = dynamodb or aws.dynamodb
    jobs = JobStore(dynamodb, "jobs")
    erasure = Erasure(dynamodb, s3 or aws.s3, aws.threads, aws.states, aws.settings)
    queue = JobQueue(MemoryQueue(), "queue")  # type: ignore[arg-type]
    transitions = transitions_of(dynamodb, jobs, aws.log, aws.clock)
    stores = Stores(jobs, transitions, queue, aws.threads, erasure)
    done = Reconciler(stores, aws.settings, LOGGER, aws.clock).run()
    return {each.value: count for each, count in done.items() if count}


def later(workers: Rig) -> None:
    """Nobody can write any more for what has ended by now."""
    workers.aws.clock.advance(ZOMBIE_MS / 1000 + 1)
