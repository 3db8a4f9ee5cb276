"""`graphjobs admin`: what an operator sees of jobs, whosever they are, and does with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from graphjobs.aws import clients
from graphjobs.core.job import Job, Release, Status
from graphjobs.core.outcome import Cause, failed
from graphjobs.core.thread import Thread, new_thread_id
from graphjobs.core.turns import own_thread
from tests.support.backend import Backend
from tests.support.faults import Faults, client_error
from tests.support.operator import Operator
from tests.unit.lifecycle.steps import claimed, done, lapse, row

NOBODY = "job-00000000-0000-4000-8000-000000000000"


def test_list_has_all_owners_jobs_newest_first(aws: Backend, admin: Operator) -> None:
    older = aws.new_job(owner="alice")
    aws.clock.advance(90)
    newer = aws.new_job(owner="bob", graph="report")
    claimed(aws, newer)
    aws.clock.advance(5)
    ran = admin("list")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["job_id", "status", "owner", "graph", "attempt", "age", "took"],
        [newer.job_id, "running", "bob", "report", "1", "5", "s", "5", "s"],
        [older.job_id, "queued", "alice", "chat", "0", "95", "s", "-"],
    ]


def test_list_asks_for_an_owner_a_status_and_a_number(aws: Backend, admin: Operator) -> None:
    jobs = [aws.new_job(owner=owner) for owner in ("alice", "bob", "alice") if aws.clock.advance(1) is None]
    claimed(aws, jobs[2])
    asked = {
        ("--owner", "alice"): [2, 0],
        ("--owner", "alice", "--status", "queued"): [0],
        ("--status", "queued"): [1, 0],
        ("--limit", "2"): [2, 1],
        ("--owner", "nobody"): [],
    }
    for options, expected in asked.items():
        listed = json.loads(admin("list", "--json", *options).out)
        assert [job["job_id"] for job in listed] == [jobs[number].job_id for number in expected], options


def test_list_leaves_out_what_has_expired_and_what_is_deleted(aws: Backend, admin: Operator) -> None:
    aws.new_job(timeout=60)
    aws.clock.advance(aws.settings.retention_seconds + 61)
    admin("purge", aws.new_job().job_id)
    ran = admin("list")
    assert (ran.code, ran.out, ran.err) == (0, "", "no such jobs\n")


def test_show_says_what_a_queued_job_waits_for(aws: Backend, admin: Operator) -> None:
    aws.new_job(owner="alice")
    aws.clock.advance(1)
    facts = json.loads(admin("show", aws.new_job(owner="alice").job_id, "--json").out)
    assert facts["owner"] == "alice"
    assert facts["queue"] == {"ahead": 1, "of": "owner"}
    assert facts["next"] == "its first message begins attempt 1"
    assert facts["last_slot"] is None


def test_show_says_who_has_a_job_and_that_its_worker_was_lost(aws: Backend, admin: Operator) -> None:
    job = aws.new_job()
    claimed(aws, job)
    held = json.loads(admin("show", job.job_id, "--json").out)
    assert held["next"].startswith("a worker has it, with a lease until 20")
    assert held["last_slot"]["types"] == ["metadata"]
    assert (held["epoch"], held["attempt"]) == (1, 1)
    lapse(aws)
    lost = json.loads(admin("show", job.job_id, "--json").out)
    assert lost["next"] == "its worker was lost: its next message begins claim 2, attempt 2 of 3"


def test_show_has_the_error_and_not_what_the_user_wrote(aws: Backend, admin: Operator) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    aws.claims.finish(claim, failed("graph_error", Cause("KeyError", where="model")), claim.tail)
    ran = admin("show", job.job_id)
    lines = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    assert lines["error"] == "graph_error: The graph failed. (KeyError in model)"
    assert lines["next"] == "it has ended as failed"
    assert "hello" not in ran.out


def test_show_reads_a_job_that_is_deleted(aws: Backend, admin: Operator) -> None:
    job = aws.new_job()
    admin("purge", job.job_id)
    assert json.loads(admin("show", job.job_id, "--json").out)["deleting"] is True


@pytest.mark.parametrize("verb", ["show", "cancel", "requeue", "purge"])
@pytest.mark.parametrize("job_id", [NOBODY, "job-1"])
def test_no_such_job_is_one_line(admin: Operator, verb: str, job_id: str) -> None:
    ran = admin(verb, job_id)
    assert (ran.code, ran.out, ran.err) == (1, "", f"graphjobs: There is no job {job_id}.\n")


def test_cancel_ends_a_queued_job_of_anybody(aws: Backend, admin: Operator) -> None:
    job = aws.new_job(owner="alice")
    ran = admin("cancel", job.job_id)
    assert (ran.code, ran.out) == (0, f"{job.job_id} cancelled\n")
    assert done(aws, job)["status"] == "cancelled"
    assert admin("cancel", job.job_id).out == f"{job.job_id} cancelled\n"


def test_cancel_asks_the_worker_of_a_running_job(aws: Backend, admin: Operator) -> None:
    job = aws.new_job()
    claimed(aws, job)
    ran = admin("cancel", job.job_id)
    assert ran.out == f"{job.job_id} cancelling: its worker has been asked to stop\n"
    assert row(aws, job).status is Status.CANCELLING


def test_cancel_of_the_job_whose_turn_it_is_sends_the_next_ones_message(aws: Backend, admin: Operator) -> None:
    thread_id = new_thread_id()
    first, second = aws.new_job(thread_id=thread_id), aws.new_job(thread_id=thread_id, waiting=True)
    made = aws.threads.touched(_thread(first, second), aws.clock())
    aws.threads.commit(made)
    admin("cancel", first.job_id)
    (message,) = aws.messages()
    assert json.loads(message["Body"]) == {"job_id": second.job_id}
    after = aws.threads.get(thread_id)
    assert after is not None
    assert after.turn == second.job_id


def _thread(first: Job, second: Job) -> Thread:
    return replace(own_thread(first, None, first.created_at), turn=first.job_id, waiting=(second.job_id,))


def test_requeue_sends_the_message_of_a_job_that_may_run(aws: Backend, admin: Operator) -> None:
    queued, lost = aws.new_job(owner="alice"), aws.new_job()
    claimed(aws, lost)
    lapse(aws)
    for job in (queued, lost):
        before = row(aws, job)
        ran = admin("requeue", job.job_id)
        assert (ran.code, ran.out) == (0, f"{job.job_id} sent again\n")
        assert [json.loads(message["Body"]) for message in aws.messages()] == [{"job_id": job.job_id}]
        assert row(aws, job) == before, "a message is a hint and changes nothing"


def ended(aws: Backend, job: Job) -> str:
    claim = claimed(aws, job)
    aws.claims.finish(claim, failed("graph_error"), claim.tail)
    return "it has ended as failed"


def held(aws: Backend, job: Job) -> str:
    claimed(aws, job)
    return "a worker has it, with a lease until 20"


def late(aws: Backend, job: Job) -> str:
    aws.clock.advance(3601)
    return "it must not run any more: it is ended as failed (timed_out) at its next look"


def lost_too_often(aws: Backend, job: Job) -> str:
    for _ in range(aws.settings.max_attempts):
        claimed(aws, job)
        lapse(aws)
    return "it must not run any more: it is ended as failed (worker_lost) at its next look"


def cancelled_while_lost(aws: Backend, job: Job) -> str:
    claimed(aws, job)
    aws.jobs.update(row(aws, job), replace(row(aws, job), status=Status.CANCELLING))
    lapse(aws)
    return "it must not run any more: it is ended as cancelled at its next look"


def waiting(aws: Backend, job: Job) -> str:
    aws.jobs.update(row(aws, job), replace(row(aws, job), waiting=True))
    return "other jobs of its thread come first"


def delayed(aws: Backend, job: Job) -> str:
    aws.jobs.update(row(aws, job), replace(row(aws, job), not_before=aws.clock() + 60_000))
    return "it is not to begin before 2027-01-15T08:01:00.000Z"


def expired(aws: Backend, job: Job) -> str:
    aws.clock.advance(3600 + aws.settings.retention_seconds)
    return "it is past its time to live"


@pytest.mark.parametrize(
    "prepare", [ended, held, late, lost_too_often, cancelled_while_lost, waiting, delayed, expired]
)
def test_requeue_refuses_what_would_not_run(
    aws: Backend, admin: Operator, prepare: Callable[[Backend, Job], str]
) -> None:
    job = aws.new_job()
    reason = prepare(aws, job)
    ran = admin("requeue", job.job_id)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"graphjobs: {job.job_id} is not sent again: {reason}")
    assert len(ran.err.splitlines()) == 1
    assert aws.messages() == []


def test_requeue_of_a_released_job_sends_it(aws: Backend, admin: Operator) -> None:
    job = aws.new_job()
    aws.claims.release(claimed(aws, job), Release.HANDOFF, None)
    assert "released (handoff)" in admin("show", job.job_id).out
    assert admin("requeue", job.job_id).code == 0
    assert len(aws.messages()) == 1


def test_purge_is_what_the_owners_delete_is(aws: Backend, admin: Operator) -> None:
    job = aws.new_job(owner="alice")
    ran = admin("purge", job.job_id)
    assert ran.out == f"{job.job_id} deleted: gone for everybody; the reconciler erases it within a minute or two\n"
    assert row(aws, job).deleting
    assert row(aws, job).status is Status.CANCELLED
    assert admin("purge", job.job_id).code == 0, "safe to repeat"


def test_an_answer_of_aws_is_one_line(aws: Backend, admin: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(aws.dynamodb)
    faults.fail("get_item", client_error("AccessDeniedException"))
    monkeypatch.setattr(clients, "dynamodb", lambda config=None: faults.client)
    ran = admin("show", NOBODY)
    assert ran.code == 1
    assert ran.err.startswith("graphjobs: An error occurred (AccessDeniedException)")
    assert len(ran.err.splitlines()) == 1


def test_a_row_of_a_newer_release_is_named_and_left_alone(aws: Backend, admin: Operator) -> None:
    job = aws.new_job()
    aws.dynamodb.update_item(
        TableName="jobs",
        Key={"pk": {"S": f"job#{job.job_id}"}},
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"N": "99"}},
    )
    ran = admin("cancel", job.job_id)
    assert (ran.code, ran.err) == (
        1,
        f"graphjobs: {job.job_id} was written by a newer release: use that one's command.\n",
    )
