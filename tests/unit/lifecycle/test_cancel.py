"""Cancel: at every moment of a job's life, repeated, raced, and against a failing backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from graphjobs.aws.transition import Contended
from graphjobs.core.change import Applied, Refusal
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import Job, Release, Status
from graphjobs.core.outcome import completed, failed
from tests.support.backend import Backend
from tests.support.faults import client_error
from tests.unit.lifecycle.steps import Shaky, cancel, claimed, done, lapse, row, types


def test_a_queued_job_ends_at_once_without_having_started(aws: Backend) -> None:
    job = aws.new_job()
    assert cancel(aws, job).status is Status.CANCELLED
    assert types(aws, job) == ["metadata", "done"]
    assert done(aws, job) == {"status": "cancelled", "result": None}
    assert aws.claims.claim(job.job_id, model=None) is Refusal.TERMINAL


def test_a_running_job_is_asked_to_stop_and_ends_as_cancelled(aws: Backend) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    assert cancel(aws, job).status is Status.CANCELLING
    assert types(aws, job) == ["metadata"]
    aws.claims.finish(claim, completed("it was done all the same"), claim.tail)
    assert done(aws, job)["status"] == "cancelled"
    assert row(aws, job).status is Status.CANCELLED


def test_a_heartbeat_sees_the_cancel_and_the_cancel_does_not_cost_the_lease(aws: Backend) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    cancel(aws, job)
    renewed = aws.jobs.renew(claim.job, aws.claims.lease_until(claim.job), claim.job.deadline_at)
    assert renewed.status is Status.CANCELLING
    assert renewed == row(aws, job)


def test_a_cancel_while_the_job_is_being_claimed_reaches_the_worker(aws: Backend) -> None:
    """The row is read as queued, and claimed before the cancel is committed."""
    job, shaky = aws.new_job(), Shaky(aws)
    shaky.faults.before("transact_write_items", lambda: claimed(aws, job))
    assert shaky.cancel(job).status is Status.CANCELLING
    assert types(aws, job) == ["metadata"]
    assert row(aws, job).epoch == 1


def test_a_claim_while_the_job_is_being_cancelled_runs_nothing(aws: Backend) -> None:
    job, shaky = aws.new_job(), Shaky(aws)
    shaky.faults.before("transact_write_items", lambda: cancel(aws, job))
    assert shaky.claims.claim(job.job_id, model=None) is Refusal.TERMINAL
    assert types(aws, job) == ["metadata", "done"]


def test_after_a_crash_the_cancel_ends_the_job_itself(aws: Backend) -> None:
    job = aws.new_job()
    lost = claimed(aws, job)
    lapse(aws)
    assert cancel(aws, job).status is Status.CANCELLED
    with pytest.raises(Fenced):
        aws.claims.finish(lost, completed("late"), lost.tail)
    assert done(aws, job)["status"] == "cancelled"


def test_a_cancelling_job_whose_worker_is_lost_ends_at_the_next_claim_without_a_run(aws: Backend) -> None:
    job = aws.new_job()
    claimed(aws, job)
    cancel(aws, job)
    lapse(aws)
    assert isinstance(aws.claims.claim(job.job_id, model=None), Applied)
    assert row(aws, job).epoch == 1
    assert done(aws, job)["status"] == "cancelled"


def test_a_crash_between_read_and_write_of_the_cancel_is_noticed(aws: Backend) -> None:
    """Held when read, claimed by the next worker when written: the cancel reaches the new one."""
    job, shaky = aws.new_job(), Shaky(aws)
    claimed(aws, job)

    def crash() -> None:
        lapse(aws)
        claimed(aws, job)

    held = row(aws, job)
    shaky.faults.before("update_item", crash)
    assert shaky.cancel(held).status is Status.CANCELLING
    assert (row(aws, job).epoch, row(aws, job).status) == (2, Status.CANCELLING)


def test_during_a_hand_off_the_cancel_ends_the_job(aws: Backend) -> None:
    job = aws.new_job()
    aws.claims.release(claimed(aws, job), Release.HANDOFF, None)
    assert cancel(aws, job).status is Status.CANCELLED
    assert aws.claims.claim(job.job_id, model=None) is Refusal.TERMINAL


def test_a_hand_off_of_a_job_being_cancelled_is_ended_by_the_next_claim(aws: Backend) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    cancel(aws, job)
    aws.claims.release(claim, Release.HANDOFF, None)
    assert row(aws, job).status is Status.CANCELLING
    assert isinstance(aws.claims.claim(job.job_id, model=None), Applied)
    assert done(aws, job)["status"] == "cancelled"


def test_a_hand_off_between_read_and_write_of_the_cancel_loses_neither(aws: Backend) -> None:
    job, shaky = aws.new_job(), Shaky(aws)
    claim = claimed(aws, job)
    held = row(aws, job)
    shaky.faults.before("update_item", lambda: aws.claims.release(claim, Release.HANDOFF, None))
    shaky.cancel(held)
    answer = aws.claims.claim(job.job_id, model=None)
    assert isinstance(answer, Applied) or answer is Refusal.TERMINAL
    assert done(aws, job)["status"] == "cancelled"


ENDINGS: list[Callable[[Backend, Job], Any]] = [
    lambda aws, job: aws.claims.finish(claimed(aws, job), completed("x"), None),
    lambda aws, job: aws.claims.finish(claimed(aws, job), failed("graph_error"), None),
    cancel,
]


@pytest.mark.parametrize("end", ENDINGS, ids=["completed", "failed", "cancelled"])
def test_a_terminal_job_is_returned_as_it_is_and_never_changes(aws: Backend, end: Callable[..., Any]) -> None:
    job = aws.new_job()
    end(aws, job)
    ended, log = row(aws, job), aws.events(job.job_id)
    for seconds in (0, 60, 4000):
        aws.clock.advance(seconds)
        assert cancel(aws, job) == ended
        assert Shaky(aws).cancel(job) == ended  # on a row that was read long ago
    assert (row(aws, job), aws.events(job.job_id)) == (ended, log)


def test_the_end_between_read_and_write_of_the_cancel_stays(aws: Backend) -> None:
    job, shaky = aws.new_job(), Shaky(aws)
    claim = claimed(aws, job)
    held = row(aws, job)
    shaky.faults.before("update_item", lambda: aws.claims.finish(claim, completed("in time"), claim.tail))
    assert shaky.cancel(held).status is Status.COMPLETED
    assert done(aws, job)["result"] == "in time"


def test_repeated_while_the_worker_stops_it_changes_nothing(aws: Backend) -> None:
    job = aws.new_job()
    claimed(aws, job)
    first = cancel(aws, job)
    assert cancel(aws, job) == first == row(aws, job)


@pytest.mark.parametrize("running", [False, True], ids=["queued", "running"])
def test_of_two_at_once_both_are_told_the_same(aws: Backend, running: bool) -> None:
    job, shaky = aws.new_job(), Shaky(aws)
    if running:
        claimed(aws, job)
    read = row(aws, job)
    inner: list[Job] = []
    for operation in ("transact_write_items", "update_item"):
        shaky.faults.before(operation, lambda: inner.append(cancel(aws, job)))
    assert [shaky.cancel(read)] == inner == [row(aws, job)]
    assert types(aws, job) == (["metadata"] if running else ["metadata", "done"])


@pytest.mark.parametrize("state", ["queued", "running", "cancelling", "handed off", "worker lost"])
def test_in_every_state_the_timeout_ends_the_job(aws: Backend, state: str) -> None:
    job = aws.new_job(timeout=600)
    if state != "queued":
        claim = claimed(aws, job)
        if state == "cancelling":
            cancel(aws, job)
        elif state == "handed off":
            aws.claims.release(claim, Release.HANDOFF, None)
        elif state == "worker lost":
            lapse(aws)
    aws.clock.now = job.deadline_at
    assert isinstance(aws.claims.claim(job.job_id, model=None), Applied)
    ending: Any = done(aws, job)
    if state == "cancelling":
        assert ending["status"] == "cancelled"
    else:
        assert (ending["status"], ending["error"]["code"]) == ("failed", "timed_out")
    ended = row(aws, job)
    assert cancel(aws, job) == ended


@pytest.mark.parametrize("running", [False, True], ids=["queued", "running"])
@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, answer lost"])
def test_a_failing_backend_is_told_and_the_cancel_can_be_repeated(aws: Backend, running: bool, lost: bool) -> None:
    job, shaky = aws.new_job(), Shaky(aws)
    if running:
        claimed(aws, job)
    operation = "update_item" if running else "transact_write_items"
    if lost:
        shaky.faults.lose_answer(operation, 99)
    else:
        shaky.faults.fail(operation, client_error("InternalServerError", 500), 99)
    if lost:
        # Its own nonce, or the row, tells that it was made after all.
        assert shaky.cancel(row(aws, job)).status is (Status.CANCELLING if running else Status.CANCELLED)
    else:
        with pytest.raises((ClientError, Contended)):
            shaky.cancel(row(aws, job))
    assert cancel(aws, job).status is (Status.CANCELLING if running else Status.CANCELLED)
    assert types(aws, job).count("done") == (not running)


def test_a_row_that_changes_at_every_try_is_contended(aws: Backend) -> None:
    job, shaky = aws.new_job(), Shaky(aws)
    claimed(aws, job)

    def crash() -> None:
        lapse(aws)
        aws.dynamodb.update_item(
            TableName="jobs",
            Key={"pk": {"S": f"job#{job.job_id}"}},
            UpdateExpression="SET epoch = epoch + :one, lease_until = :far",
            ExpressionAttributeValues={":one": {"N": "1"}, ":far": {"N": str(aws.clock.now + 10**9)}},
        )

    for _ in range(99):
        shaky.faults.before("update_item", crash)
    with pytest.raises(Contended):
        shaky.cancel(row(aws, job))
    assert row(aws, job).status is Status.RUNNING
