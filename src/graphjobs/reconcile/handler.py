"""Scheduled: look after the jobs that nothing else will bring to an end."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from graphjobs.aws import clients as aws
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.transition import Transitions
from graphjobs.core.settings import Settings
from graphjobs.observability import ENDS, Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics
from graphjobs.reconcile.service import Done, Reconciler

REQUIRED = ("jobs_table", "events_table", "queue_url", "payload_bucket")

logger = make_logger("reconcile")
metrics = make_metrics("reconcile")


class Incomplete(RuntimeError):
    """A run that could not treat all that was due."""


@lru_cache(maxsize=1)
def reconciler() -> Reconciler:
    """The reconciler of this process."""
    settings = Settings.from_env(os.environ, required=REQUIRED)
    dynamodb = aws.dynamodb()
    jobs = JobStore(dynamodb, settings.jobs_table)
    log = DynamoEventLog(dynamodb, settings.events_table, PayloadStore(aws.s3(), settings.payload_bucket))
    queue = JobQueue(aws.sqs(), settings.queue_url)
    return Reconciler(
        jobs,
        Transitions(dynamodb, jobs, log),
        queue,
        settings,
        logger,
        on_end=lambda job: record(metrics, ENDS[job.status]),
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Run once; returns how many jobs were treated how.

    Raises:
        Incomplete: some could not be; the others were. An alarm counts these, and the next run tries again.
    """
    counts = reconciler().run()
    stuck = counts[Done.SENT] + counts[Done.ENDED]
    record(metrics, Metric.STUCK_JOBS, stuck)
    metrics.flush_metrics()
    if stuck or counts[Done.WAITING]:
        logger.info("reconciled", extra={done.value: count for done, count in counts.items()})
    if counts[Done.FAILED]:
        raise Incomplete(f"{counts[Done.FAILED]} due jobs or shards could not be treated.")
    return {done.value: count for done, count in counts.items()}


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    reconciler()
