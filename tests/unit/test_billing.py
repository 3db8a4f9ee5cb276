"""The benchmark of cost counts as ARCHITECTURE.md's table of AWS calls says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest

from benchmarks.billing import Meter, blocks, changed_names
from graphjobs.aws.job_items import Idempotency
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.schema import JOBS_TABLE
from graphjobs.core.job import Job, Status
from tests.support.backend import Backend, backend


def metered() -> tuple[JobStore, Meter]:
    """A job store on a client of its own, and the meter of that client."""
    client, meter = boto3.client("dynamodb"), Meter({"jobs": JOBS_TABLE})
    meter.attach(client.meta.events)
    return JobStore(client, "jobs"), meter


def indexes(meter: Meter) -> dict[str, int]:
    return {name: units for name, units in meter.index_writes.items() if units}


def stored(aws: Backend) -> Job:
    return aws.new_job()


@pytest.mark.parametrize(("key", "units"), [(None, 4), ("a-key", 6)])
def test_create_writes_two_units_an_item_and_one_an_index(key: str | None, units: int) -> None:
    with backend() as aws:
        job = replace(stored(aws), job_id="job-2")
        jobs, meter = metered()
        jobs.create(job, "{}", Idempotency("user-1", key, "digest") if key else None, aws.clock())
    assert meter.writes == {("jobs", "TransactWriteItems"): units}
    assert indexes(meter) == {"by_owner": 1, "active": 1}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"due_at": 7}, {"active": 2}),  # the entry moves
        ({"status": Status.RUNNING}, {"by_owner": 1}),  # projected there alone
        ({"status": Status.RUNNING, "due_at": 7}, {"by_owner": 1, "active": 2}),
        ({"status": Status.COMPLETED}, {"by_owner": 1, "active": 1}),  # leaves the sparse index
        ({"sends": 2}, {}),  # projected nowhere
    ],
)
def test_an_index_is_billed_when_what_it_projects_changes(change: dict[str, Any], expected: dict[str, int]) -> None:
    with backend() as aws:
        job = stored(aws)
        jobs, meter = metered()
        jobs.update(job, replace(job, **change))
    assert meter.writes == {("jobs", "UpdateItem"): 1}
    assert indexes(meter) == expected


def test_a_heartbeat_moves_the_entry_of_the_active_index() -> None:
    with backend() as aws:
        job = aws.new_job(status=Status.RUNNING, epoch=1)
        jobs, meter = metered()
        jobs.renew(job, 5, 6)
    assert indexes(meter) == {"active": 2}


def test_reads_are_halved_when_eventual_and_billed_when_nothing_is_there() -> None:
    with backend() as aws:
        job = stored(aws)
        jobs, meter = metered()
        jobs.get(job.job_id)
        jobs.peek(job.job_id)
        jobs.peek("job-none")
    assert meter.reads == {"jobs": 2.0}


def test_expressions_and_blocks() -> None:
    assert changed_names("SET #a = :a, b = :b REMOVE #c, d", {"#a": "x", "#c": "y"}) == ({"x", "b"}, {"y", "d"})
    assert [blocks(size) for size in (0, 1, 4096, 4097)] == [1, 1, 1, 2]
