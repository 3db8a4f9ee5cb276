"""The reconciler: what it repairs, what it leaves alone, and that two of them are as good as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphjobs.aws.queue import RESEND_AFTER_MS
from graphjobs.core.job import Job, Status
from graphjobs.core.outcome import completed
from tests.support.backend import Backend
from tests.unit.lifecycle.passes import Pass, announced, overdue, sent, unsent
from tests.unit.lifecycle.steps import cancel, claimed, done, lapse, row, types


def test_with_nothing_due_it_does_nothing(aws: Backend, reconcile: Pass) -> None:
    announced(aws)
    claimed(aws, aws.new_job())
    assert reconcile.run() == {}
    assert sent(aws) == []


def test_a_create_that_crashed_before_its_message_is_sent_once(aws: Backend, reconcile: Pass) -> None:
    job = aws.new_job()
    assert reconcile.run() == {}, "its own message may still be on its way"
    aws.clock.advance(16)
    assert reconcile.run() == {"sent": 1}
    assert reconcile.run() == {}
    assert sent(aws) == [job.job_id]
    assert row(aws, job).sends == 1
    claimed(aws, job)


def test_a_lost_message_is_sent_again_later_each_time(aws: Backend, reconcile: Pass) -> None:
    job = announced(aws, timeout=86_400)
    waits = []
    for _ in range(3):
        waits.append(row(aws, job).due_at - aws.clock())
        aws.clock.now = row(aws, job).due_at
        assert reconcile.run() == {"sent": 1}
        assert sent(aws) == [job.job_id]
    assert [round(wait / RESEND_AFTER_MS) for wait in waits] == [1, 2, 4]


def test_a_lost_worker_is_replaced_with_one_message(aws: Backend, reconcile: Pass) -> None:
    job = aws.new_job()
    claimed(aws, job)
    lapse(aws)
    assert reconcile.run() == {}, "SQS brings the lost worker's message back first"
    aws.clock.advance(aws.settings.heartbeat_seconds)
    assert reconcile.run() == {"sent": 1}
    assert reconcile.run() == {}
    assert sent(aws) == [job.job_id]
    assert claimed(aws, job).job.attempt == 2


def test_with_its_attempts_used_up_a_lost_worker_ends_the_job(aws: Backend, reconcile: Pass) -> None:
    job = aws.new_job()
    for _ in range(aws.settings.max_attempts):
        claimed(aws, job)
        lapse(aws)
    aws.clock.advance(aws.settings.heartbeat_seconds)
    assert reconcile.run() == {"ended": 1}
    ending: Any = done(aws, job)
    assert (ending["status"], ending["error"]["code"]) == ("failed", "worker_lost")
    assert sent(aws) == []


def test_a_cancelled_job_whose_worker_is_lost_ends_as_cancelled(aws: Backend, reconcile: Pass) -> None:
    job = aws.new_job()
    claimed(aws, job)
    cancel(aws, job)
    aws.clock.advance(aws.settings.lease_seconds + aws.settings.heartbeat_seconds)
    assert reconcile.run() == {"ended": 1}
    assert done(aws, job) == {"status": "cancelled", "result": None}


@pytest.mark.parametrize("started", [False, True])
def test_at_its_deadline_a_job_ends_and_not_before(aws: Backend, reconcile: Pass, started: bool) -> None:
    job = announced(aws, timeout=30)
    if started:
        claimed(aws, job)
    aws.clock.now = job.deadline_at - 1
    assert reconcile.run() == {}
    aws.clock.now = job.deadline_at
    assert reconcile.run() == {"ended": 1}
    assert types(aws, job) == (["metadata", "error", "done"] if started else ["metadata", "done"])


def test_a_terminal_job_is_never_touched(aws: Backend, reconcile: Pass) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    aws.claims.finish(claim, completed("x"), claim.tail)
    ended, log = row(aws, job), aws.events(job.job_id)
    aws.clock.advance(10_000)
    assert reconcile.run() == {}
    assert (row(aws, job), aws.events(job.job_id)) == (ended, log)


@pytest.mark.parametrize("make", [overdue, unsent])
@pytest.mark.parametrize("operation", ["query", "get_item", "update_item", "transact_write_items"])
def test_two_at_once_are_as_good_as_one(
    aws: Backend, reconcile: Pass, make: Callable[[Backend], Job], operation: str
) -> None:
    """The second pass runs whole, right before a call of the first."""
    jobs = sorted(make(aws).job_id for _ in range(3))
    aws.clock.advance(20)
    for _ in range(8):
        reconcile.dynamodb.before(operation, Pass(aws).run)
    reconcile.run()
    assert sent(aws) == (jobs if make is unsent else [])
    for job_id in jobs:
        kinds = [event["type"] for event in aws.events(job_id)]
        assert kinds == ([] if make is unsent else ["metadata", "done"])


def test_a_worker_that_claims_first_wins(aws: Backend, reconcile: Pass) -> None:
    job = aws.new_job()
    aws.clock.advance(20)
    reconcile.dynamodb.before("update_item", lambda: claimed(aws, job))
    assert reconcile.run() == {"nothing": 1}
    assert sent(aws) == []


def test_a_worker_that_renews_in_the_last_moment_keeps_its_job(aws: Backend, reconcile: Pass) -> None:
    job = aws.new_job()
    for _ in range(aws.settings.max_attempts):
        claim = claimed(aws, job)
        lapse(aws)
    aws.clock.advance(aws.settings.heartbeat_seconds)
    lease = aws.claims.lease_until(claim.job)
    reconcile.dynamodb.before("transact_write_items", lambda: aws.jobs.renew(claim.job, lease, lease))
    assert reconcile.run() == {"nothing": 1}
    assert row(aws, job).status is Status.RUNNING


def test_a_held_job_is_left_alone_even_if_it_is_due(aws: Backend, reconcile: Pass) -> None:
    now = aws.clock()
    aws.new_job(status=Status.RUNNING, epoch=1, attempt=1, lease_until=now + 1, due_at=now - 1)
    assert reconcile.run() == {"nothing": 1}
    assert sent(aws) == []


def test_a_long_healthy_backlog_is_left_alone(aws: Backend, reconcile: Pass) -> None:
    """Ten minutes in the queue with a message on its way is no fault."""
    jobs = [announced(aws) for _ in range(10)]
    for _ in range(10):
        aws.clock.advance(60)
        assert reconcile.run() == {}
    assert sent(aws) == []
    assert [row(aws, job) for job in jobs] == jobs


def test_running_jobs_that_renew_are_left_alone(aws: Backend, reconcile: Pass) -> None:
    claim = claimed(aws, aws.new_job())
    for _ in range(20):
        aws.clock.advance(aws.settings.heartbeat_seconds)
        lease = aws.claims.lease_until(claim.job)
        aws.jobs.renew(claim.job, lease, aws.claims.due_after(lease, claim.job))
        assert reconcile.run() == {}
