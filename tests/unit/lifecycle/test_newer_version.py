"""After a rollback: what a newer release has written is left alone, and stops nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from graphjobs.auth.principal import Principal
from graphjobs.aws.checkpoint_table import CheckpointTable, Item, NewerCheckpoint
from graphjobs.core.job import VERSION, Job, job_from_item, row_attributes
from graphjobs.core.thread import Thread, ThreadStatus, thread_attributes, thread_from_item
from graphjobs.core.version import NewerVersion
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
        readable_job(aws.jobs, job.job_id, Principal(job.owner), aws.clock())
    assert (refused.value.status, "Retry-After" in refused.value.headers) == (503, True)


def test_a_list_leaves_out_what_it_cannot_say_anything_of(aws: Backend) -> None:
    one, other = aws.new_job(), aws.new_job()
    written(aws, one, {"status": {"S": "paused"}})
    jobs, _ = aws.jobs.lists.by_owner("user-1", now=aws.clock(), limit=10, status=None, after=None)
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


def test_a_slot_of_a_newer_release_is_opaque_and_closes_its_own_streams_alone(aws: Backend) -> None:
    newer, job = aws.new_job(), aws.new_job()
    for each in (newer, job):
        claimed(aws, each)
    key = {"job_id": {"S": newer.job_id}, "seq": {"N": "1"}}
    item = aws.dynamodb.get_item(TableName="events", Key=key)["Item"] | {"v": {"N": "2"}, "body": {"M": {}}}
    aws.dynamodb.put_item(TableName="events", Item=item)
    batch = aws.log.read([(newer.job_id, 1), (job.job_id, 1)])
    assert set(batch.found) == {(job.job_id, 1)} and batch.corrupt == {(newer.job_id, 1)}
    with pytest.raises(NewerVersion):
        aws.log.tail(newer.job_id)


def test_a_job_whose_log_a_newer_release_has_written_is_passed_over(aws: Backend) -> None:
    job = aws.new_job(timeout=1)
    claimed(aws, job)
    key = {"job_id": {"S": job.job_id}, "seq": {"N": "1"}}
    item = aws.dynamodb.get_item(TableName="events", Key=key)["Item"] | {"v": {"N": "2"}}
    aws.dynamodb.put_item(TableName="events", Item=item)
    before = aws.jobs.get(job.job_id)
    aws.clock.advance(100)
    assert Pass(aws).run() == {"nothing": 1}
    assert aws.jobs.get(job.job_id) == before


@pytest.mark.parametrize("change", [{"v": {"N": "2"}}, {"resting": {"S": "archived"}}], ids=["version", "status"])
def test_a_thread_of_a_newer_release_is_opaque(change: dict[str, Any]) -> None:
    thread = Thread(
        thread_id="t", owner="o", graph="g", created_at=1, updated_at=1, expires_at=1, resting=ThreadStatus.IDLE
    )
    assert thread_from_item(thread_attributes(thread)) == thread
    with pytest.raises(NewerVersion):
        thread_from_item(thread_attributes(thread) | change)


def test_a_thread_from_before_there_were_versions_can_be_read() -> None:
    thread = Thread(thread_id="t", owner="o", graph="g", created_at=1, updated_at=1, expires_at=1)
    assert thread_from_item({name: value for name, value in thread_attributes(thread).items() if name != "v"}) == thread


def test_a_checkpoint_of_a_newer_release_is_opaque(aws: Backend) -> None:
    table = CheckpointTable(aws.dynamodb, "checkpoints", aws.s3, "payloads", 60)
    table.put("t", Item("k", "", "c1", b"body"))
    key = {"PK": {"S": "t"}, "SK": {"S": "k"}}
    item = aws.dynamodb.get_item(TableName="checkpoints", Key=key)["Item"]
    assert "v" not in item, "the first version is not written: each item would be larger for it"
    aws.dynamodb.put_item(TableName="checkpoints", Item=item | {"v": {"N": "2"}})
    with pytest.raises(NewerCheckpoint):
        table.get("t", ["k"])
