"""``POST /jobs/{job_id}/cancel``: end a job, or ask its worker to. Safe to repeat."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from aws_lambda_powertools.event_handler import Response

from graphjobs.aws import clients as aws
from graphjobs.aws.cancel import cancel
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.aws.transition import Transitions
from graphjobs.core.job import Status
from graphjobs.core.settings import Settings
from graphjobs.core.times import now_ms
from graphjobs.http.job_answer import summary
from graphjobs.http.resolver import http_app, json_answer, own_job, owner_of
from graphjobs.observability import Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics

logger = make_logger("cancel_job")
metrics = make_metrics("cancel_job")
app = http_app(logger)


@lru_cache(maxsize=1)
def wiring() -> tuple[JobStore, Transitions]:
    """What this function is made of, built once a process."""
    settings = Settings.from_env(os.environ, required=("jobs_table", "events_table", "payload_bucket"))
    dynamodb = aws.dynamodb()
    jobs = JobStore(dynamodb, settings.jobs_table)
    log = DynamoEventLog(dynamodb, settings.events_table, PayloadStore(aws.s3(), settings.payload_bucket))
    return jobs, Transitions(dynamodb, jobs, log)


@app.post("/jobs/<job_id>/cancel")
def cancel_job(job_id: str) -> Response[str]:
    """202 while a worker is still stopping, 200 once the job is terminal."""
    jobs, transitions = wiring()
    before = own_job(jobs, job_id, owner_of(app), now_ms())
    after = cancel(before, jobs, transitions)
    if after.status is Status.CANCELLED and not before.status.terminal:
        record(metrics, Metric.JOBS_CANCELLED)
    logger.info("cancel", extra={"job_id": job_id, "before": before.status.value, "after": after.status.value})
    return json_answer(200 if after.status.terminal else 202, summary(after))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP API request."""
    try:
        return app.resolve(event, context)
    finally:
        if metrics.metric_set:
            metrics.flush_metrics()


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
