"""``POST /jobs``: accept a job and say where to follow it."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from functions.create_job.model import JobRequest
from functions.create_job.service import Submission
from graphjobs import aws
from graphjobs.http_api import api_url, http_app, json_answer, owner_of
from graphjobs.job_answer import accepted
from graphjobs.job_store import JobStore
from graphjobs.observability import Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics
from graphjobs.problem import Problem, problem_response
from graphjobs.queue import JobQueue
from graphjobs.settings import Settings
from graphjobs.stream_url import StreamUrls, stream_urls

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)

logger = make_logger("create_job")
metrics = make_metrics("create_job")
app = http_app(logger)


@lru_cache(maxsize=1)
def wiring() -> tuple[Settings, Submission, StreamUrls]:
    """What this function is made of, built once a process."""
    settings = Settings.from_env(os.environ, required=("jobs_table", "queue_url", "stream_url", "ticket_secret"))
    jobs = JobStore(aws.dynamodb(), settings.jobs_table)
    queue = JobQueue(aws.sqs(), settings.queue_url)
    return settings, Submission(jobs, queue, settings), stream_urls(settings)


@app.post("/jobs")
def create_job(request: Annotated[JobRequest, Body()]) -> Response[str]:
    """202 with the new job; 200 with the earlier one of the same key and body."""
    settings, submission, urls = wiring()
    job, new = submission.submit(owner_of(app), request, _idempotency_key())
    if new:
        record(metrics, Metric.JOBS_CREATED)
    logger.info("accepted", extra={"job_id": job.job_id, "graph": job.graph, "new": new})
    body = accepted(job, api_url(app, settings), urls.url(job))
    return json_answer(202, body) if new else json_answer(200, body, {"Idempotent-Replayed": "true"})


def _idempotency_key() -> str | None:
    key = app.current_event.headers.get("idempotency-key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise Problem(400, "invalid_idempotency_key", "Idempotency-Key is 1 to 255 visible ASCII characters.")
    return key


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP API request."""
    size = len((event.get("body") or "").encode("utf-8", "surrogatepass"))
    limit = wiring()[0].max_body_bytes
    if size > limit:
        return problem_response(Problem(413, "body_too_large", f"The body is over {limit} bytes."))
    try:
        return app.resolve(event, context)
    finally:
        if metrics.metric_set:
            metrics.flush_metrics()


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
