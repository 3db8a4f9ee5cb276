"""The counter of an owner's jobs: exact after every way in which a job can end, and in nobody's way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graphjobs.aws.owner_limit import COUNT, OwnerLimitReached
from graphjobs.core.job import Job, Release, Status, new_job_id
from graphjobs.core.outcome import completed, failed
from tests.support.backend import Backend
from tests.support.faults import client_error
from tests.unit.lifecycle.steps import Shaky, cancel, claimed, lapse, row

LIMIT = 3


def count(aws: Backend, owner: str = "user-1") -> int:
    """What the owner's counter says."""
    answer = aws.dynamodb.get_item(TableName="jobs", Key=aws.jobs.owner_limit.key(owner), ConsistentRead=True)
    return int(answer["Item"][COUNT]["N"]) if "Item" in answer else 0


def limited(aws: Backend, **changes: Any) -> Job:
    return aws.new_job(owner_limit=LIMIT, **changes)


def finish(aws: Backend, job: Job) -> None:
    claim = claimed(aws, job)
    aws.claims.finish(claim, completed("done"), claim.tail)


def fail(aws: Backend, job: Job) -> None:
    claim = claimed(aws, job)
    aws.claims.finish(claim, failed("graph_error"), claim.tail)


def cancel_queued(aws: Backend, job: Job) -> None:
    cancel(aws, job)


def cancel_running(aws: Backend, job: Job) -> None:
    claim = claimed(aws, job)
    cancel(aws, job)
    aws.claims.finish(claim, completed("too late"), claim.tail)


def lose_workers(aws: Backend, job: Job) -> None:
    for _ in range(aws.settings.max_attempts):
        claimed(aws, job)
        lapse(aws)
    aws.claims.claim(job.job_id, model=None)


def run_out_of_time(aws: Backend, job: Job) -> None:
    aws.clock.advance(3_601)
    aws.claims.claim(job.job_id, model=None)


ENDS = (finish, fail, cancel_queued, cancel_running, lose_workers, run_out_of_time)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_however_a_job_ends_it_is_counted_no_more(aws: Backend, end: Callable[[Backend, Job], None]) -> None:
    job = limited(aws)
    assert count(aws) == 1
    end(aws, job)
    assert row(aws, job).status.terminal
    assert count(aws) == 0


def test_a_job_too_many_is_refused_and_stores_nothing(aws: Backend) -> None:
    for _ in range(LIMIT):
        limited(aws)
    before = aws.dynamodb.scan(TableName="jobs", ConsistentRead=True)["Items"]
    with pytest.raises(OwnerLimitReached):
        limited(aws)
    assert aws.dynamodb.scan(TableName="jobs", ConsistentRead=True)["Items"] == before
    limited(aws, owner="user-2")


def test_a_job_that_goes_from_worker_to_worker_is_counted_once(aws: Backend) -> None:
    job = limited(aws)
    for _ in range(3):
        aws.claims.release(claimed(aws, job), Release.HANDOFF, None)
    assert count(aws) == 1
    finish(aws, job)
    assert count(aws) == 0


def test_an_end_whose_answer_is_lost_counts_once(aws: Backend) -> None:
    job, shaky = limited(aws), Shaky(aws)
    limited(aws)
    claim = claimed(aws, job)
    shaky.faults.lose_answer("transact_write_items")
    shaky.claims.finish(claim, completed("done"), claim.tail)
    assert row(aws, job).status is Status.COMPLETED
    assert count(aws) == 1


def test_a_job_from_before_there_was_a_limit_is_not_counted_down(aws: Backend) -> None:
    before = aws.new_job()
    limited(aws)
    finish(aws, before)
    assert count(aws) == 1


def test_a_counter_that_has_gone_keeps_no_job_from_ending(aws: Backend) -> None:
    job = limited(aws)
    aws.dynamodb.delete_item(TableName="jobs", Key=aws.jobs.owner_limit.key("user-1"))
    finish(aws, job)
    assert row(aws, job).status is Status.COMPLETED
    limited(aws)


def test_jobs_that_are_created_at_once_wait_for_each_other(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.aws.retry.backoff", lambda number: 0.0)
    conflict: Any = client_error("TransactionCanceledException")
    conflict.response["CancellationReasons"] = [{"Code": "None"}, {"Code": "None"}, {"Code": "TransactionConflict"}]
    shaky = Shaky(aws)
    shaky.faults.fail("transact_write_items", conflict, times=3)
    job = replace(limited(aws), job_id=new_job_id())
    created, new = shaky.jobs.create(job, "{}", None, aws.clock())
    assert (created, new) == (job, True)
    assert count(aws) == 2
