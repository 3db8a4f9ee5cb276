"""The commands on jobs: each takes a deployment and its arguments, prints, and gives an exit code."""

from __future__ import annotations

import heapq
import json
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from graphjobs.admin.job_facts import job_facts
from graphjobs.admin.prospect import in_the_way
from graphjobs.aws import cancel as ending
from graphjobs.aws.schema import BY_OWNER_INDEX
from graphjobs.cli.job_view import aligned, job_text, seconds_text
from graphjobs.cli.terminal import one_line, say
from graphjobs.core.job import Job, Status, is_job_id, job_from_item
from graphjobs.core.lifecycle import Policy
from graphjobs.core.times import rfc3339, rfc3339_or_none
from graphjobs.core.version import NewerVersion

if TYPE_CHECKING:
    from graphjobs.admin.deployment import Deployment
    from graphjobs.aws.backend import Backend

COLUMNS: Final = ("job_id", "status", "owner", "graph", "attempt", "age", "took")


class Refused(Exception):
    """It is not done; one line says why."""


def listing(deployment: Deployment, args: Namespace) -> int:
    """Jobs, newest first."""
    backend = deployment.backend
    found = heapq.nlargest(args.limit, _rows(backend, args.owner, args.status), key=lambda job: job.created_at)
    if args.json:
        print_json([listed(job) for job in found])
        return 0
    if not found:
        say("no such jobs")
        return 0
    now = backend.clock()
    print(aligned([COLUMNS, *(_cells(job, now) for job in found)]))
    return 0


def show(deployment: Deployment, args: Namespace) -> int:
    """All of one job."""
    facts = job_facts(deployment.backend, the_job(deployment.backend, args.job_id))
    if args.json:
        print_json(facts)
    else:
        print(job_text(facts))
    return 0


def cancel(deployment: Deployment, args: Namespace) -> int:
    """End a job; that of a worker ends within a second or two."""
    backend = deployment.backend
    job = the_job(backend, args.job_id)
    after = ending.cancel(job, backend.jobs, backend.transitions, clock=backend.clock)
    hint = ": its worker has been asked to stop" if after.status is Status.CANCELLING else ""
    return _said(args, after, f"{after.status.value}{hint}")


def requeue(deployment: Deployment, args: Namespace) -> int:
    """Send a job's message again, unless it would not be run for it."""
    backend = deployment.backend
    job = the_job(backend, args.job_id)
    reason = in_the_way(job, backend.clock(), Policy.of(backend.settings))
    if reason is not None:
        raise Refused(f"{job.job_id} is not sent again: {reason}.")
    backend.queue.send(job.job_id, job.owner)
    return _said(args, job, "sent again")


def purge(deployment: Deployment, args: Namespace) -> int:
    """Delete a job, as its owner does with ``DELETE /jobs/{job_id}``."""
    backend = deployment.backend
    job = the_job(backend, args.job_id)
    after = ending.delete(job, backend.jobs, backend.transitions, clock=backend.clock)
    return _said(args, after, "deleted: gone for everybody; the reconciler erases it within a minute or two")


def the_job(backend: Backend, job_id: str) -> Job:
    """The row, also of a job that is deleted.

    Raises:
        Refused: there is none.
    """
    job = backend.jobs.get(job_id) if is_job_id(job_id) else None
    if job is None:
        raise Refused(f"There is no job {one_line(job_id)}.")
    return job


def listed(job: Job) -> dict[str, Any]:
    """A job of a list, for programs."""
    return {
        "job_id": job.job_id,
        "owner": job.owner,
        "thread_id": job.thread,
        "status": job.status.value,
        "graph": job.graph,
        "attempt": job.attempt,
        "created_at": rfc3339(job.created_at),
        "started_at": rfc3339_or_none(job.started_at),
        "finished_at": rfc3339_or_none(job.finished_at),
    }


def print_json(value: Any) -> None:
    """`value` for programs."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _rows(backend: Backend, owner: str | None, status: str | None) -> Iterator[Job]:
    """Rows as the index of owners has them, a moment old: of one owner, else of all."""
    request: dict[str, Any] = {
        "TableName": backend.settings.jobs_table,
        "IndexName": BY_OWNER_INDEX,
        "FilterExpression": "expires_at > :now" + (" AND #status = :status" if status else ""),
        "ExpressionAttributeValues": {":now": {"N": str(backend.clock() // 1000)}},
    }
    names = {}
    if status:
        names["#status"] = "status"
        request["ExpressionAttributeValues"][":status"] = {"S": status}
    if owner is not None:
        names["#owner"] = "owner"
        request["KeyConditionExpression"] = "#owner = :owner"
        request["ExpressionAttributeValues"][":owner"] = {"S": owner}
    if names:
        request["ExpressionAttributeNames"] = names
    reads = "scan" if owner is None else "query"
    for page in backend.dynamodb.get_paginator(reads).paginate(**request):  # type: ignore[call-overload]
        for item in page["Items"]:
            try:
                yield job_from_item(item)
            except NewerVersion:
                say(f"{item['job_id']['S']} was written by a newer release and is left out")


def _cells(job: Job, now: int) -> tuple[str, ...]:
    until = job.finished_at or now
    took = None if job.started_at is None else max(0, until - job.started_at) / 1000
    return (
        job.job_id,
        job.status.value,
        one_line(job.owner),
        one_line(job.graph),
        str(job.attempt),
        seconds_text(max(0, now - job.created_at) / 1000),
        seconds_text(took),
    )


def _said(args: Namespace, job: Job, text: str) -> int:
    if args.json:
        print_json(listed(job))
    else:
        print(f"{job.job_id} {text}")
    return 0
