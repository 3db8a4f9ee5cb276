"""The reconciler under load and over a failing backend: bounded, and nothing holds up anything else."""

from __future__ import annotations

import pytest

from graphjobs.aws.queue import RESEND_AFTER_MS
from graphjobs.aws.transition import PATIENCE
from graphjobs.core.change import Refusal
from graphjobs.core.job import Status
from graphjobs.reconcile import handler as entry
from graphjobs.reconcile import service
from graphjobs.reconcile.service import Done
from tests.support.backend import Backend
from tests.support.faults import FAULTS
from tests.unit.lifecycle.passes import Pass, overdue, sent, unsent
from tests.unit.lifecycle.steps import claimed, done, row, types


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
            UpdateExpression="REMOVE graph",
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


CALLS = ["query", "get_item", "update_item", "transact_write_items", "send_message"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", CALLS)
def test_a_fault_is_counted_the_rest_goes_on_and_the_next_pass_repairs(
    aws: Backend, reconcile: Pass, operation: str, fault: str
) -> None:
    endings, sends = [overdue(aws) for _ in range(6)], [unsent(aws) for _ in range(6)]
    aws.clock.advance(20)
    # A transaction is tried twelve times, so it takes as many faults to lose one.
    times = PATIENCE.tries if operation == "transact_write_items" else 1
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


def test_an_update_that_the_sdk_makes_again_after_a_lost_answer_is_its_own(aws: Backend, reconcile: Pass) -> None:
    job = unsent(aws)
    aws.clock.advance(20)
    reconcile.dynamodb.repeat("update_item")
    assert reconcile.run() == {"sent": 1}
    assert sent(aws) == [job.job_id]


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
    said = capsys.readouterr().out
    assert '"StuckJobs":[2.0]' in said and '"JobsFailed":[0' in said


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
