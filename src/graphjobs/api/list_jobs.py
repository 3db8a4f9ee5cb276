"""``GET /jobs``: the caller's jobs, newest first; for an administrator any owner's.

One query of the `by_owner` index a page.
"""

from __future__ import annotations

import base64
import json
import os
from functools import lru_cache
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from graphjobs.auth.administrators import Administrators, administrators
from graphjobs.aws.backend import Backend
from graphjobs.aws.job_lists import JobLists
from graphjobs.core.job import Status, is_job_id
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.times import now_ms
from graphjobs.http.access import AdminUse, listed_owner
from graphjobs.http.job_answer import summary
from graphjobs.http.problem import Problem
from graphjobs.http.resolver import api_handler, caller_of, http_app, json_answer
from graphjobs.observability import logger as make_logger

MAX_CURSOR = 300
MAX_OWNER = 512
"""Characters; DynamoDB takes 2,048 bytes as the key of an index."""

logger = make_logger("list_jobs")
app = http_app(logger)


@lru_cache(maxsize=1)
def wiring() -> tuple[JobLists, Administrators]:
    """What this function is made of, built once per process."""
    settings = FUNCTIONS["list_jobs"].settings(os.environ)
    return Backend(settings).jobs.lists, administrators(settings)


@app.get("/jobs")
def list_jobs(
    status: Annotated[Status | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR)] = None,
    owner: Annotated[str | None, Query(min_length=1, max_length=MAX_OWNER)] = None,
) -> Response[str]:
    """200 with a page of jobs; `next_cursor` is null on the last."""
    lists, admins = wiring()
    jobs, following = lists.by_owner(
        listed_owner(owner, caller_of(app, admins), AdminUse(logger, "list")),
        now=now_ms(),
        limit=limit,
        status=status.value if status else None,
        after=decode_cursor(cursor) if cursor else None,
    )
    next_cursor = encode_cursor(following) if following else None
    return json_answer(200, {"jobs": [summary(job) for job in jobs], "next_cursor": next_cursor})


def encode_cursor(place: tuple[str, str]) -> str:
    """A place in the list as an opaque text; it names no owner, so that it opens nobody else's list."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def decode_cursor(text: str) -> tuple[str, str]:
    """The reverse of `encode_cursor`.

    Raises:
        Problem: the cursor was not made by this API.
    """
    try:
        job_id, created = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        ours = is_job_id(job_id) and created.endswith(f"#{job_id}") and created.partition("#")[0].isdecimal()
    except (ValueError, TypeError, AttributeError):
        ours = False
    if not ours:
        raise Problem(400, "invalid_cursor", "The cursor is not one that this list gave.")
    return job_id, created


handler = api_handler(app)

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
