"""Scheduled: look after the jobs that nothing else will bring to an end."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from functions.reconcile.service import Done, Reconciler
from graphjobs import aws
from graphjobs.dynamo_log import DynamoEventLog
from graphjobs.job_store import JobStore
from graphjobs.observability import ENDS, Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics
from graphjobs.payload_store import PayloadStore
from graphjobs.queue import JobQueue
from graphjobs.settings import Settings
from graphjobs.transition import Transitions

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
