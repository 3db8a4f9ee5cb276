"""``GET /jobs/{job_id}/status``: the row, and what the end of the log says. Two consistent reads."""

from __future__ import annotations

import os
from functools import lru_cache

from aws_lambda_powertools.event_handler import Response

from graphjobs.aws.backend import Backend
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.http.job_answer import summary
from graphjobs.http.resolver import api_handler, fits, http_app, json_answer, json_text, own_job
from graphjobs.observability import logger as make_logger

logger = make_logger("job_status")
app = http_app(logger)


@lru_cache(maxsize=1)
def wiring() -> tuple[JobStore, DynamoEventLog, str]:
    """What this function is made of, built once per process: rows, log, the stream's address."""
    settings = FUNCTIONS["job_status"].settings(os.environ)
    backend = Backend(settings)
    return backend.jobs, backend.log, settings.stream_url.rstrip("/")


@app.get("/jobs/<job_id>/status")
def job_status(job_id: str) -> Response[str]:
    """200 with the job's state; `result` and `error` are read from the ``done`` event.

    A result that does not fit into an answer is null, and `result_url` is where it can be read.
    """
    jobs, log, stream = wiring()
    job = own_job(app, jobs, job_id)
    body = summary(job) | {"last_seq": 0, "result": None, "interrupts": [], "error": None}
    tail = log.tail(job.job_id)
    if tail is not None:
        body["last_seq"] = tail.last_seq
        # Read after the row, the log may have ended since: say so only of a row that says so too.
        if job.status.terminal:
            data = log.whole(tail).events()[-1].parse().data
            body |= {
                "result": data["result"],
                "interrupts": data.get("interrupts", []),
                "error": data.get("error"),
            }
    if not fits(json_text(body)):
        # The last event of the log holds it, and a stream has no such limit.
        result_url = f"{stream}/stream/{job.job_id}?after={body['last_seq'] - 1}"
        body |= {"result": None, "result_too_large": True, "result_url": result_url}
    return json_answer(200, body)


handler = api_handler(app)

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
