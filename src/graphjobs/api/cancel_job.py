"""``POST /jobs/{job_id}/cancel`` ends a job, or asks its worker to; ``DELETE /jobs/{job_id}`` has it erased as well.

Both are safe to repeat.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from graphjobs.auth.administrators import Administrators, administrators
from graphjobs.aws.backend import Backend
from graphjobs.aws.cancel import cancel, delete
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.transition import Transitions
from graphjobs.core.job import Status
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.http.access import AdminUse
from graphjobs.http.job_answer import summary
from graphjobs.http.resolver import api_handler, http_app, json_answer, own_job
from graphjobs.observability import Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics

logger = make_logger("cancel_job")
metrics = make_metrics("cancel_job")
app = http_app(logger)


@lru_cache(maxsize=1)
def wiring() -> tuple[JobStore, Transitions, Administrators]:
    """What this function is made of, built once per process."""
    settings = FUNCTIONS["cancel_job"].settings(os.environ)
    backend = Backend(settings)
    return backend.jobs, backend.transitions, administrators(settings)


@app.post("/jobs/<job_id>/cancel")
def cancel_job(
    job_id: str, action: Annotated[Literal["interrupt", "rollback"], Query()] = "interrupt"
) -> Response[str]:
    """202 while a worker is still stopping, 200 once the job is terminal.

    With `rollback` the job's thread is as if it had never been.
    """
    jobs, transitions, admins = wiring()
    before = own_job(app, jobs, job_id, admins, AdminUse(logger, "cancel"))
    after = cancel(before, jobs, transitions, rollback=action == "rollback")
    if after.status is Status.CANCELLED and not before.status.terminal:
        record(metrics, Metric.JOBS_CANCELLED)
    logger.info("cancel", extra={"job_id": job_id, "before": before.status.value, "after": after.status.value})
    return json_answer(200 if after.status.terminal else 202, summary(after))


@app.delete("/jobs/<job_id>")
def delete_job(job_id: str) -> Response[str]:
    """202: the job is gone for everybody, and the reconciler erases it once it has ended. 404 from then on."""
    jobs, transitions, admins = wiring()
    before = own_job(app, jobs, job_id, admins, AdminUse(logger, "delete"))
    after = delete(before, jobs, transitions)
    if after.status is Status.CANCELLED and not before.status.terminal:
        record(metrics, Metric.JOBS_CANCELLED)
    logger.info("delete", extra={"job_id": job_id, "before": before.status.value, "after": after.status.value})
    return json_answer(202, summary(after))


handler = api_handler(app, metrics)

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
