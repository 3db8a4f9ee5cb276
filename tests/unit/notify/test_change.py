"""Which records of the Jobs table's stream are changes of a job's status, and what others are told of them."""

from __future__ import annotations

from typing import Any

import pytest

from graphjobs.core.job import Job, Status, row_attributes
from graphjobs.notify.change import status_change

JOB = "job-11111111-1111-4111-8111-111111111111"


def image(status: str, **more: Any) -> dict[str, Any]:
    job = Job(
        job_id=JOB,
        owner="user-1",
        graph="chat",
        status=Status.QUEUED,
        created_at=1_000,
        deadline_at=9_000,
        expires_at=99,
        started_at=2_000,
        finished_at=3_000,
        attempt=1,
    )
    return {"pk": {"S": f"job#{JOB}"}, **row_attributes(job), "status": {"S": status}, **more}


def record(new: Any, old: Any = None) -> dict[str, Any]:
    images = {name: each for name, each in (("NewImage", new), ("OldImage", old)) if each is not None}
    return {"dynamodb": {"SequenceNumber": "1", "ApproximateCreationDateTime": 5, **images}}


def test_a_new_job_and_each_new_status_is_a_change() -> None:
    for new, old in (("queued", None), ("running", "queued"), ("cancelling", "running"), ("completed", "running")):
        change = status_change(record(image(new), image(old) if old else None))
        assert change is not None
        assert (change.job.status.value, change.before) == (new, old)
        assert change.id == f"{JOB}.{new}"


@pytest.mark.parametrize(
    "unchanged",
    [
        record(image("running", lease_until={"N": "7"}), image("running")),
        record(None, image("completed")),
        record({"pk": {"S": f"input#{JOB}"}, "body": {"S": "{}"}}),
        record({"pk": {"S": "idem#x"}, "job_id": {"S": JOB}}),
        record(image("a_status_of_a_newer_version"), image("running")),
        {},
    ],
    ids=["heartbeat", "deleted", "input", "idempotency", "newer", "empty"],
)
def test_anything_else_is_none(unchanged: dict[str, Any]) -> None:
    assert status_change(unchanged) is None


def test_others_are_told_of_the_job_but_not_of_what_it_holds() -> None:
    change = status_change(record(image("failed"), image("running")))
    assert change is not None
    assert change.body() == {
        "id": f"{JOB}.failed",
        "type": "job.failed",
        "timestamp": "1970-01-01T00:00:03.000Z",
        "data": {
            "job_id": JOB,
            "owner": "user-1",
            "graph": "chat",
            "status": "failed",
            "previous_status": "running",
            "created_at": "1970-01-01T00:00:01.000Z",
            "started_at": "1970-01-01T00:00:02.000Z",
            "finished_at": "1970-01-01T00:00:03.000Z",
            "attempt": 1,
        },
    }


def test_the_row_says_whether_there_is_a_webhook() -> None:
    without, with_one = (
        status_change(record(image("completed", **more))) for more in ({}, {"webhook": {"BOOL": True}})
    )
    assert without is not None and not without.has_webhook
    assert with_one is not None and with_one.has_webhook
