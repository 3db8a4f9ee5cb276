"""Worker Lambda: an SQS event of one message in, partial batch response out."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from graphjobs.aws import clients as aws
from graphjobs.aws.claims import Claims
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.transition import Transitions
from graphjobs.core.settings import Settings
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics
from graphjobs.worker.checkpoints import checkpoint_saver
from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.node_loop import NodeLoop
from graphjobs.worker.worker import Keepalive, Worker

REQUIRED = ("jobs_table", "events_table", "checkpoints_table", "queue_url", "payload_bucket")

logger = make_logger("worker")
metrics = make_metrics("worker")


@lru_cache(maxsize=1)
def worker() -> Worker:
    """The worker of this process."""
    settings = Settings.from_env(os.environ, required=REQUIRED)
    dynamodb = aws.dynamodb(aws.WORKER)
    jobs = JobStore(dynamodb, settings.jobs_table)
    log = DynamoEventLog(dynamodb, settings.events_table, PayloadStore(aws.s3(aws.WORKER), settings.payload_bucket))
    claims = Claims(jobs, Transitions(dynamodb, jobs, log), settings)
    return Worker(
        settings=settings,
        jobs=jobs,
        log=log,
        claims=claims,
        queue=JobQueue(aws.sqs(aws.WORKER), settings.queue_url),
        keepalive=Keepalive(
            JobStore(aws.dynamodb(aws.HEARTBEAT), settings.jobs_table),
            JobQueue(aws.sqs(aws.HEARTBEAT), settings.queue_url),
        ),
        loader=GraphLoader(settings.config),
        saver=checkpoint_saver(settings),
        # One loop a process: clients that a graph keeps between jobs are bound to it.
        loop=NodeLoop(),
        logger=logger,
        metrics=metrics,
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process each record; those that failed are named, and come back."""
    failures = []
    for message in event["Records"]:
        try:
            worker().process(message, context.get_remaining_time_in_millis())
        except Exception:
            logger.exception("the message will come back", extra={"message_id": message["messageId"]})
            failures.append({"itemIdentifier": message["messageId"]})
    if metrics.metric_set:
        metrics.flush_metrics()
    return {"batchItemFailures": failures}


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    worker()  # in the init phase, which has a full CPU and is what SnapStart keeps
