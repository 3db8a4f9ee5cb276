"""After a rollback: what a newer release has written is left alone, and stops nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from graphjobs.core.job import VERSION, Job, NewerVersion, job_from_item, row_attributes
from graphjobs.http.access import readable_job
from graphjobs.http.problem import Problem
from tests.support.backend import Backend
from tests.unit.lifecycle.passes import Pass, overdue
from tests.unit.lifecycle.steps import claimed

CHANGES: dict[str, dict[str, Any]] = {
    "another version": {"v": {"N": str(VERSION + 1)}},
    "an unknown status": {"status": {"S": "paused"}},
    "an unknown release": {"released": {"S": "parked"}},
}


@pytest.fixture(params=CHANGES.values(), ids=list(CHANGES))
def change(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a newer release writes into a row."""
    found: dict[str, Any] = request.param
    return found


def written(aws: Backend, job: Job, change: dict[str, Any]) -> dict[str, Any]:
    """Let a newer release change the row; the item as it is then."""
    key = {"pk": {"S": f"job#{job.job_id}"}}
    item: dict[str, Any] = aws.dynamodb.get_item(TableName="jobs", Key=key)["Item"] | change
    aws.dynamodb.put_item(TableName="jobs", Item=item)
    return item


def test_it_is_neither_claimed_nor_changed(aws: Backend, change: dict[str, Any]) -> None:
    job = aws.new_job()
    item = written(aws, job, change)
    with pytest.raises(NewerVersion):
        aws.claims.claim(job.job_id, model=None)
    assert aws.dynamodb.get_item(TableName="jobs", Key={"pk": item["pk"]})["Item"] == item


def test_its_owner_is_told_to_come_back(aws: Backend, change: dict[str, Any]) -> None:
    job = aws.new_job()
    written(aws, job, change)
    with pytest.raises(Problem) as refused:
        readable_job(aws.jobs, job.job_id, job.owner, aws.clock())
    assert (refused.value.status, "Retry-After" in refused.value.headers) == (503, True)


def test_a_list_leaves_out_what_it_cannot_say_anything_of(aws: Backend) -> None:
    one, other = aws.new_job(), aws.new_job()
    written(aws, one, {"status": {"S": "paused"}})
    jobs, _ = aws.jobs.list_by_owner("user-1", now=aws.clock(), limit=10, status=None, after=None)
    assert [job.job_id for job in jobs] == [other.job_id]


def test_the_reconciler_passes_over_it_and_treats_the_others(aws: Backend, change: dict[str, Any]) -> None:
    newer, job = overdue(aws), overdue(aws)
    item = written(aws, newer, change)
    aws.clock.advance(11)
    assert Pass(aws).run() == {"nothing": 1, "ended": 1}
    assert aws.dynamodb.get_item(TableName="jobs", Key={"pk": item["pk"]})["Item"] == item
    assert aws.jobs.get(job.job_id) != job


def test_every_change_of_a_row_says_which_version_made_it(aws: Backend) -> None:
    job = aws.new_job()
    assert row_attributes(job)["v"] == {"N": str(VERSION)}
    written(aws, job, {"v": {"N": "0"}})
    claimed(aws, job)
    item = aws.dynamodb.get_item(TableName="jobs", Key={"pk": {"S": f"job#{job.job_id}"}})["Item"]
    assert item["v"] == {"N": str(VERSION)}


def test_a_row_from_before_there_were_versions_can_be_read(aws: Backend) -> None:
    job = aws.new_job()
    item = row_attributes(job)
    del item["v"]
    assert job_from_item(item).job_id == job.job_id
