"""The reconciler: what it repairs, what it leaves alone, and that nothing holds it up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from functions.reconcile import handler as entry
from functions.reconcile import service
from functions.reconcile.service import Done, Reconciler
from graphjobs.claims import Refusal
from graphjobs.job import Job, Status
from graphjobs.observability import logger
from graphjobs.outcome import completed
from graphjobs.queue import RESEND_AFTER_MS, JobQueue, job_id_of
from graphjobs.transition import MAX_TRIES
from tests.support.backend import Backend
from tests.support.faults import FAULTS, Faults
from tests.unit.lifecycle.steps import Shaky, cancel, claimed, done, lapse, row, types

SILENT = logger("reconcile")


class Pass:
    """A reconciler over clients that can be made to fail."""

    def __init__(self, aws: Backend) -> None:
        shaky = Shaky(aws)
        self.dynamodb, self.sqs = shaky.faults, Faults(aws.sqs)
        queue = JobQueue(self.sqs.client, aws.settings.queue_url)
        self.reconciler = Reconciler(shaky.jobs, shaky.transitions, queue, aws.settings, SILENT, aws.clock)

    def run(self) -> dict[str, int]:
        """One pass; returns what it did, without what it did not."""
        return {done.value: count for done, count in self.reconciler.run().items() if count}


@pytest.fixture
def reconcile(aws: Backend) -> Pass:
    return Pass(aws)


def sent(aws: Backend) -> list[str]:
    """The jobs that messages are waiting for, in some order; the messages are gone then."""
    jobs = []
    while messages := aws.messages():
        jobs += [job_id_of(message["Body"]) for message in messages]
    return sorted(jobs)


def announced(aws: Backend, timeout: int = 3600) -> Job:
    """A queued job as `create_job` leaves it: with a message."""
    now = aws.clock()
    due = now + min(RESEND_AFTER_MS, timeout * 1000)
    return aws.new_job(timeout=timeout, sent_at=now, sends=1, due_at=due)


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
    assert waits == [RESEND_AFTER_MS, 2 * RESEND_AFTER_MS, 4 * RESEND_AFTER_MS]


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


def overdue(aws: Backend) -> Job:
    """A job that will be past its deadline in ten seconds."""
    return aws.new_job(timeout=10, due_at=aws.clock() + 10_000)


def unsent(aws: Backend) -> Job:
    """A job whose message was never sent, which is taken for a crash in fifteen seconds."""
    return aws.new_job()


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


def test_many_due_jobs_are_taken_page_by_page(aws: Backend, reconcile: Pass, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    jobs = [overdue(aws).job_id for _ in range(20)]
    aws.clock.advance(10)
    assert reconcile.run() == {"ended": 20}
    assert reconcile.dynamodb.calls.count("query") >= 10
    assert all(aws.claims.claim(job_id, model=None) is Refusal.TERMINAL for job_id in jobs)


def test_a_pass_is_bounded_and_the_next_one_goes_on(
    aws: Backend, reconcile: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 1)
    monkeypatch.setattr(service, "MAX_PAGES", 1)
    for _ in range(12):
        overdue(aws)
    aws.clock.advance(10)
    counts = []
    while count := reconcile.run().get("ended", 0):
        counts.append(count)
    assert sum(counts) == 12 and max(counts) <= 4 and len(counts) >= 3


def test_jobs_that_stay_due_do_not_hide_the_others(
    aws: Backend, reconcile: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a page of jobs that cannot be treated, all due before one that can."""
    monkeypatch.setattr(service, "PAGE", 2)
    bad = [aws.new_job().job_id for _ in range(20)]
    for job_id in bad:
        aws.dynamodb.update_item(
            TableName="jobs",
            Key={"pk": {"S": f"job#{job_id}"}},
            UpdateExpression="SET #status = :nonsense",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":nonsense": {"S": "nonsense"}},
        )
    aws.clock.advance(20)
    good = [overdue(aws) for _ in range(8)]
    aws.clock.advance(10)
    assert reconcile.run() == {"failed": 20, "ended": 8}
    assert all(row(aws, job).status is Status.FAILED for job in good)


def test_the_limit_of_sends_holds_up_no_ending(aws: Backend, reconcile: Pass, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_SENDS", 3)
    for _ in range(20):
        unsent(aws)
    aws.clock.advance(16)
    late = [overdue(aws) for _ in range(8)]
    aws.clock.advance(10)
    assert reconcile.run() == {"sent": 3, "waiting": 17, "ended": 8}
    assert all(row(aws, job).status is Status.FAILED for job in late)
    assert reconcile.run() == {"sent": 3, "waiting": 14}, "the others follow"


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


CALLS = ["query", "get_item", "update_item", "transact_write_items", "send_message"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", CALLS)
def test_a_fault_is_counted_the_rest_goes_on_and_the_next_pass_repairs(
    aws: Backend, reconcile: Pass, operation: str, fault: str
) -> None:
    endings, sends = [overdue(aws) for _ in range(6)], [unsent(aws) for _ in range(6)]
    aws.clock.advance(20)
    # A transaction is tried twelve times, so it takes as many faults to lose one.
    times = MAX_TRIES if operation == "transact_write_items" else 1
    faults = reconcile.sqs if operation == "send_message" else reconcile.dynamodb
    faults.fail(operation, FAULTS[fault](), times)
    first = reconcile.run()
    assert first["failed"] == 1
    # A shard that cannot be read costs all of its jobs this pass; any other call costs one job.
    assert first["ended"] + first["sent"] >= (1 if operation == "query" else 11)
    aws.clock.advance(60)
    reconcile.run()
    assert all(done(aws, job)["status"] == "failed" for job in endings)
    assert sent(aws) == sorted(job.job_id for job in sends)
    assert reconcile.run() == {}


@pytest.mark.parametrize("operation", ["update_item", "transact_write_items", "send_message"])
def test_a_lost_answer_ends_no_job_twice(aws: Backend, reconcile: Pass, operation: str) -> None:
    ending, sending = overdue(aws), unsent(aws)
    aws.clock.advance(20)
    (reconcile.sqs if operation == "send_message" else reconcile.dynamodb).lose_answer(operation)
    reconcile.run()
    aws.clock.advance(RESEND_AFTER_MS / 1000 + 60)
    reconcile.run()
    assert types(aws, ending) == ["metadata", "done"]
    # A message may come twice, never not at all: the worker acknowledges the second.
    assert set(sent(aws)) == {sending.job_id}


def test_a_message_that_could_not_be_sent_is_due_again_at_once(aws: Backend, reconcile: Pass) -> None:
    job = unsent(aws)
    aws.clock.advance(20)
    reconcile.sqs.fail("send_message", FAULTS["unavailable"]())
    assert reconcile.run() == {"failed": 1}
    assert row(aws, job) == job
    assert reconcile.run() == {"sent": 1}


def test_a_job_claimed_while_its_message_fails_is_left_to_its_worker(aws: Backend, reconcile: Pass) -> None:
    job = unsent(aws)
    aws.clock.advance(20)

    def lost_after_a_claim() -> None:
        claimed(aws, job)
        raise FAULTS["timeout"]()

    reconcile.sqs.before("send_message", lost_after_a_claim)
    assert reconcile.run() == {"failed": 1}
    assert row(aws, job).status is Status.RUNNING
    assert row(aws, job).held(aws.clock())


def test_the_function_reports_what_it_did(
    aws: Backend, reconcile: Pass, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry, "reconciler", lambda: reconcile.reconciler)
    overdue(aws)
    unsent(aws)
    aws.clock.advance(20)
    answer = entry.handler({}, None)
    assert (answer[Done.ENDED], answer[Done.SENT], answer[Done.FAILED]) == (1, 1, 0)
    assert '"StuckJobs":[2.0]' in capsys.readouterr().out


def test_the_function_fails_after_a_pass_that_could_not_treat_all(
    aws: Backend, reconcile: Pass, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry, "reconciler", lambda: reconcile.reconciler)
    jobs = [overdue(aws) for _ in range(3)]
    aws.clock.advance(20)
    reconcile.dynamodb.fail("get_item", FAULTS["internal"]())
    with pytest.raises(entry.Incomplete):
        entry.handler({}, None)
    assert sum(row(aws, job).status.terminal for job in jobs) == 2
    assert '"StuckJobs":[2.0]' in capsys.readouterr().out
