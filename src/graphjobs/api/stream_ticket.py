"""``POST /jobs/{job_id}/stream-ticket``: a fresh address to follow a job at. One read."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from aws_lambda_powertools.event_handler import Response

from graphjobs.auth.stream_url import StreamUrls, stream_urls
from graphjobs.aws import clients as aws
from graphjobs.aws.job_store import JobStore
from graphjobs.core.settings import Settings
from graphjobs.core.times import now_ms, rfc3339
from graphjobs.http.resolver import http_app, json_answer, own_job, owner_of
from graphjobs.observability import logger as make_logger

logger = make_logger("stream_ticket")
app = http_app(logger)


@lru_cache(maxsize=1)
def wiring() -> tuple[JobStore, StreamUrls]:
    """What this function is made of, built once a process."""
    settings = Settings.from_env(os.environ, required=("jobs_table", "stream_url", "ticket_secret"))
    return JobStore(aws.dynamodb(), settings.jobs_table), stream_urls(settings)


@app.post("/jobs/<job_id>/stream-ticket")
def stream_ticket(job_id: str) -> Response[str]:
    """200 with the address and the time until which a stream can be opened at it."""
    jobs, urls = wiring()
    job = own_job(jobs, job_id, owner_of(app), now_ms())
    expires_at = rfc3339(urls.expires_at(job) * 1000)
    return json_answer(200, {"stream_url": urls.url(job), "expires_at": expires_at})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP API request."""
    return app.resolve(event, context)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
