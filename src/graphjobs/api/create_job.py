"""``POST /jobs``: accept a job and say where to follow it; and the job that changes a thread's state.

That is ``POST /threads/{thread_id}/state``, which asks for nothing but a job of a special kind.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from graphjobs.api.job_request import JobRequest
from graphjobs.api.joining import Joining
from graphjobs.api.state_updates import StateUpdates
from graphjobs.api.submission import Submission
from graphjobs.api.thread_request import StateUpdate
from graphjobs.auth.stream_url import StreamUrls, stream_urls
from graphjobs.aws.backend import Backend
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.settings import Settings
from graphjobs.core.times import now_ms
from graphjobs.http.job_answer import accepted
from graphjobs.http.json_body import refused_body
from graphjobs.http.problem import Problem
from graphjobs.http.resolver import api_handler, api_url, http_app, json_answer, owner_of
from graphjobs.http.thread_answer import updated_json
from graphjobs.observability import Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics

ANSWER_SECONDS = 2.0
"""Of an invocation, for what comes after waiting."""

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)

logger = make_logger("create_job")
metrics = make_metrics("create_job")
app = http_app(logger)


@lru_cache(maxsize=1)
def wiring() -> tuple[Settings, Submission, StreamUrls]:
    """What this function is made of, built once per process."""
    settings = FUNCTIONS["create_job"].settings(os.environ)
    backend = Backend(settings)
    parts = backend.jobs, backend.threads, backend.log, backend.transitions, backend.history
    joining = Joining(*parts, now_ms)
    return settings, Submission(backend.jobs, backend.queue, settings, joining), stream_urls(settings)


@app.post("/jobs")
def create_job(request: Annotated[JobRequest, Body()]) -> Response[str]:
    """202 with the new job; 200 with the earlier one of the same key and body."""
    settings, submission, urls = wiring()
    urls.check()  # before anything is stored: without the keys there would be no answer to give
    job, new = submission.submit(owner_of(app), request, _idempotency_key())
    if new:
        record(metrics, Metric.JOBS_CREATED)
    logger.info("accepted", extra={"job_id": job.job_id, "graph": job.graph, "new": new})
    body = accepted(job, api_url(app, settings), urls.url(job))
    return json_answer(202, body) if new else json_answer(200, body, {"Idempotent-Replayed": "true"})


@app.post("/threads/<thread_id>/state")
def update_state(thread_id: str, asked: Annotated[StateUpdate, Body()]) -> Response[str]:
    """200 with the checkpoint that was made; 202 with the job that makes it, if it does not in time."""
    settings, submission, urls = wiring()
    urls.check()
    left = app.lambda_context.get_remaining_time_in_millis() / 1000 - ANSWER_SECONDS
    job, made = StateUpdates(submission, settings).update(owner_of(app), thread_id, asked, _idempotency_key(), left)
    logger.info("update", extra={"job_id": job.job_id, "graph": job.graph})
    if made is None:
        return json_answer(202, accepted(job, api_url(app, settings), urls.url(job)))
    return json_answer(200, updated_json(job.thread, made))


def _idempotency_key() -> str | None:
    key = app.current_event.headers.get("idempotency-key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise Problem(400, "invalid_idempotency_key", "Idempotency-Key is 1 to 255 visible ASCII characters.")
    return key


def _refusal(event: dict[str, Any]) -> Problem | None:
    return refused_body(event, wiring()[0].max_body_bytes)


handler = api_handler(app, metrics, refusal=_refusal)

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
