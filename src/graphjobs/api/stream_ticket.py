"""``POST /jobs/{job_id}/stream-ticket``: a fresh address to follow a job at, one read; ``DELETE`` revokes them all."""

from __future__ import annotations

import os
from functools import lru_cache

from aws_lambda_powertools.event_handler import Response

from graphjobs.auth.administrators import Administrators, administrators
from graphjobs.auth.stream_url import StreamUrls, stream_urls
from graphjobs.aws.backend import Backend
from graphjobs.aws.job_store import JobStore
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.times import rfc3339
from graphjobs.http.access import AdminUse
from graphjobs.http.problem import job_not_found
from graphjobs.http.resolver import api_handler, http_app, json_answer, own_job
from graphjobs.observability import logger as make_logger

logger = make_logger("stream_ticket")
app = http_app(logger)


@lru_cache(maxsize=1)
def wiring() -> tuple[JobStore, StreamUrls, Administrators]:
    """What this function is made of, built once per process."""
    settings = FUNCTIONS["stream_ticket"].settings(os.environ)
    return Backend(settings).jobs, stream_urls(settings), administrators(settings)


@app.post("/jobs/<job_id>/stream-ticket")
def stream_ticket(job_id: str) -> Response[str]:
    """200 with the address and the time until which a stream can be opened at it."""
    jobs, urls, admins = wiring()
    job = own_job(app, jobs, job_id, admins, AdminUse(logger, "ticket"))
    expires_at = rfc3339(urls.expires_at(job) * 1000)
    return json_answer(200, {"stream_url": urls.url(job), "expires_at": expires_at})


@app.delete("/jobs/<job_id>/stream-ticket")
def revoke_tickets(job_id: str) -> Response[str]:
    """200: no address of this job that was given until now opens a stream. One that is open ends with its window."""
    jobs, _, admins = wiring()
    job = jobs.revoke_tickets(own_job(app, jobs, job_id, admins, AdminUse(logger, "revoke tickets")).job_id)
    if job is None:
        raise job_not_found()
    logger.info("tickets revoked", extra={"job_id": job_id, "times": job.tickets_revoked})
    return json_answer(200, {"job_id": job_id, "tickets_revoked": job.tickets_revoked})


handler = api_handler(app)

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
