"""``GET /jobs/{job_id}/status``: the row, and what the end of the log says. Two consistent reads.

Of a job that is queued also how many come before it, as far as that can be known: one read more.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

from aws_lambda_powertools.event_handler import Response

from graphjobs.auth.administrators import Administrators, administrators
from graphjobs.aws.backend import Backend
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.queue_place import place_in_queue
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.http.access import AdminUse
from graphjobs.http.job_answer import summary
from graphjobs.http.resolver import api_handler, fits, http_app, json_answer, json_text, own_job
from graphjobs.observability import logger as make_logger

logger = make_logger("job_status")
app = http_app(logger)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What this function is made of."""

    jobs: JobStore
    log: DynamoEventLog
    threads: ThreadStore
    stream: str
    admins: Administrators


@lru_cache(maxsize=1)
def wiring() -> Wiring:
    """The same, built once per process."""
    settings = FUNCTIONS["job_status"].settings(os.environ)
    backend = Backend(settings)
    stream = settings.stream_url.rstrip("/")
    return Wiring(backend.jobs, backend.log, backend.threads, stream, administrators(settings))


@app.get("/jobs/<job_id>/status")
def job_status(job_id: str) -> Response[str]:
    """200 with the job's state; `result` and `error` are read from the ``done`` event.

    A result that does not fit into an answer is null, and `result_url` is where it can be read.
    """
    made = wiring()
    job = own_job(app, made.jobs, job_id, made.admins, AdminUse(logger, "status"))
    body = summary(job) | {
        "last_seq": 0,
        "result": None,
        "interrupts": [],
        "error": None,
        "queue": place_in_queue(job, made.jobs, made.threads),
    }
    tail = made.log.tail(job.job_id)
    if tail is not None:
        body["last_seq"] = tail.last_seq
        # Read after the row, the log may have ended since: say so only of a row that says so too.
        if job.status.terminal:
            data = made.log.whole(tail).events()[-1].parse().data
            body |= {
                "result": data["result"],
                "interrupts": data.get("interrupts", []),
                "error": data.get("error"),
            }
    if not fits(json_text(body)):
        # The last event of the log holds it, and a stream has no such limit.
        result_url = f"{made.stream}/stream/{job.job_id}?after={body['last_seq'] - 1}"
        body |= {"result": None, "result_too_large": True, "result_url": result_url}
    return json_answer(200, body)


handler = api_handler(app)

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
