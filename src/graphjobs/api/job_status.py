"""``GET /jobs/{job_id}/status``: the row, and what the end of the log says. Two consistent reads."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from aws_lambda_powertools.event_handler import Response

from graphjobs.aws import clients as aws
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.core.settings import Settings
from graphjobs.core.times import now_ms
from graphjobs.http.job_answer import summary
from graphjobs.http.resolver import http_app, json_answer, own_job, owner_of
from graphjobs.observability import logger as make_logger

logger = make_logger("job_status")
app = http_app(logger)


@lru_cache(maxsize=1)
def wiring() -> tuple[JobStore, DynamoEventLog]:
    """What this function is made of, built once a process."""
    settings = Settings.from_env(os.environ, required=("jobs_table", "events_table", "payload_bucket"))
    dynamodb = aws.dynamodb()
    log = DynamoEventLog(dynamodb, settings.events_table, PayloadStore(aws.s3(), settings.payload_bucket))
    return JobStore(dynamodb, settings.jobs_table), log


@app.get("/jobs/<job_id>/status")
def job_status(job_id: str) -> Response[str]:
    """200 with the job's state; `result` and `error` are read from the ``done`` event."""
    jobs, log = wiring()
    job = own_job(jobs, job_id, owner_of(app), now_ms())
    body = summary(job) | {"last_seq": 0, "result": None, "error": None}
    tail = log.tail(job.job_id)
    if tail is not None:
        body["last_seq"] = tail.last_seq
        # Read after the row, the log may have ended since: say so only of a row that says so too.
        if job.status.terminal:
            data = log.whole(tail).events()[-1].parse().data
            body |= {"result": data["result"], "error": data.get("error")}
    return json_answer(200, body)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP API request."""
    return app.resolve(event, context)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
