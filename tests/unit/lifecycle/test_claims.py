"""Claim, finish, release: who holds a job, and how it changes hands."""

from __future__ import annotations

from typing import Any

import pytest

from graphjobs.aws.claims import Claim, Claims
from graphjobs.core.change import Applied, Refusal
from graphjobs.core.event import Event
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import Release, Status
from graphjobs.core.outcome import completed, failed
from graphjobs.core.slot import Mark, Slot, freeze
from tests.support.backend import Backend, transitions_of
from tests.support.faults import Faults, client_error
from tests.unit.lifecycle.steps import claimed, lapse, row, types


def write(aws: Backend, claim: Claim, tail: Slot, *texts: str, mark: Mark | None = None) -> Slot:
    first = tail.next_seq
    lines = [Event(first + i, "token", "t", {"text": text}).line() for i, text in enumerate(texts)]
    written = freeze(
        claim.job.job_id, first, lines, nonce=claim.nonce, mark=mark or claim.mark, expires_at=tail.expires_at
    )
    aws.log.append(written)
    return written


def test_the_first_claim_opens_the_log_with_metadata(aws: Backend) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    assert (claim.job.epoch, claim.job.attempt, claim.job.status) == (1, 1, Status.RUNNING)
    assert aws.events(job.job_id)[0]["data"] == {"graph": "chat", "model": "offline"}
    assert claim.job == row(aws, job)


def test_a_held_job_is_not_claimed_again(aws: Backend) -> None:
    job = aws.new_job()
    claimed(aws, job)
    assert aws.claims.claim(job.job_id, model=None) is Refusal.HELD
    assert types(aws, job) == ["metadata"]


def test_a_job_that_is_gone_is_refused(aws: Backend) -> None:
    assert aws.claims.claim("job-none", model=None) is Refusal.GONE


def test_after_a_crash_the_next_claim_names_what_is_void(aws: Backend) -> None:
    job = aws.new_job()
    first = claimed(aws, job)
    mark = Mark(first.thread, "c1", 3)
    tail = write(aws, first, write(aws, first, first.tail, "a", "b"), "c", mark=mark)
    write(aws, first, tail, "d", mark=mark)
    lapse(aws)
    second = claimed(aws, job)
    assert (second.job.epoch, second.job.attempt) == (2, 2)
    assert second.mark == mark and second.thread == first.thread
    assert aws.events(job.job_id)[-1]["data"] == {"attempt": 2, "reason": "crash", "discard_after": 3}


def test_without_a_mark_the_next_claim_starts_over_on_a_fresh_thread(aws: Backend) -> None:
    job = aws.new_job()
    first = claimed(aws, job)
    write(aws, first, first.tail, "a")
    lapse(aws)
    second = claimed(aws, job)
    assert second.mark is None and second.thread != first.thread
    assert aws.events(job.job_id)[-1]["data"]["discard_after"] == 1


def test_a_mark_survives_attempts_that_make_none(aws: Backend) -> None:
    job = aws.new_job()
    first = claimed(aws, job)
    mark = Mark(first.thread, "c1", 2)
    write(aws, first, first.tail, "a", mark=mark)
    lapse(aws)
    claimed(aws, job)
    lapse(aws)
    assert claimed(aws, job).mark == mark


def test_the_previous_owner_can_write_nothing_once_another_claim_has_committed(aws: Backend) -> None:
    job = aws.new_job()
    zombie = claimed(aws, job)
    lapse(aws)
    claimed(aws, job)
    before = (row(aws, job), aws.events(job.job_id))
    with pytest.raises(Fenced):
        write(aws, zombie, zombie.tail, "late")
    with pytest.raises(Fenced):
        aws.claims.finish(zombie, completed("late"), zombie.tail)
    with pytest.raises(Fenced):
        aws.claims.release(zombie, Release.HANDOFF, None)
    assert (row(aws, job), aws.events(job.job_id)) == before


def test_finish_ends_row_and_log_together(aws: Backend) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    aws.claims.finish(claim, completed({"answer": 42}), claim.tail)
    assert row(aws, job).status is Status.COMPLETED
    last = aws.events(job.job_id)[-1]
    assert (last["type"], last["data"]) == ("done", {"status": "completed", "result": {"answer": 42}})


def test_a_failure_is_an_error_event_and_then_done(aws: Backend) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    aws.claims.finish(claim, failed("graph_error"), claim.tail)
    assert types(aws, job) == ["metadata", "error", "done"]
    assert aws.events(job.job_id)[1]["data"]["code"] == "graph_error"


def test_a_handoff_goes_on_with_the_same_attempt_and_voids_nothing(aws: Backend) -> None:
    job = aws.new_job()
    first = claimed(aws, job)
    mark = Mark(first.thread, "c9", 2)
    write(aws, first, first.tail, "a")
    aws.claims.release(first, Release.HANDOFF, mark)
    second = claimed(aws, job)
    assert (second.job.epoch, second.job.attempt, second.job.handoffs) == (2, 1, 1)
    assert second.mark == mark
    assert aws.events(job.job_id)[-1]["data"] == {"attempt": 1, "reason": "handoff", "discard_after": 2}


def test_a_crash_after_a_handoff_counts(aws: Backend) -> None:
    job = aws.new_job()
    aws.claims.release(claimed(aws, job), Release.HANDOFF, None)
    claimed(aws, job)
    lapse(aws)
    assert claimed(aws, job).job.attempt == 2


@pytest.mark.parametrize(("how", "code"), [(None, "worker_lost"), (Release.STEP_LIMIT, "step_exceeds_limit")])
def test_past_the_attempts_the_claim_ends_the_job(aws: Backend, how: Release | None, code: str) -> None:
    job = aws.new_job()
    for _ in range(aws.settings.max_attempts):
        claim = claimed(aws, job)
        if how:
            aws.claims.release(claim, how, None)
        else:
            lapse(aws)
    assert isinstance(aws.claims.claim(job.job_id, model=None), Applied)
    done = aws.events(job.job_id)[-1]["data"]
    assert (done["status"], done["error"]["code"]) == ("failed", code)


def test_past_the_handoffs_the_claim_ends_the_job(aws: Backend) -> None:
    job = aws.new_job(handoffs=aws.settings.max_handoffs + 1)
    assert isinstance(aws.claims.claim(job.job_id, model=None), Applied)
    assert aws.events(job.job_id)[-1]["data"]["error"]["code"] == "too_many_handoffs"


def test_past_the_deadline_a_queued_job_ends_without_having_started(aws: Backend) -> None:
    job = aws.new_job(timeout=10)
    aws.clock.advance(10)
    assert isinstance(aws.claims.claim(job.job_id, model=None), Applied)
    assert types(aws, job) == ["metadata", "done"]
    assert aws.events(job.job_id)[-1]["data"]["error"]["code"] == "timed_out"


def test_a_lease_never_passes_the_deadline(aws: Backend) -> None:
    job = aws.new_job(timeout=10)
    assert claimed(aws, job).job.lease_until == job.deadline_at


def test_a_result_after_the_deadline_is_a_timeout(aws: Backend) -> None:
    job = aws.new_job(timeout=10)
    claim = claimed(aws, job)
    aws.clock.advance(10)
    aws.claims.finish(claim, completed("too late"), claim.tail)
    assert row(aws, job).status is Status.FAILED


def test_a_terminal_job_is_acknowledged(aws: Backend) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    aws.claims.finish(claim, completed(None), claim.tail)
    log = aws.events(job.job_id)
    assert aws.claims.claim(job.job_id, model=None) is Refusal.TERMINAL
    with pytest.raises(Fenced):
        aws.claims.finish(claim, failed("graph_error"), claim.tail)
    assert aws.events(job.job_id) == log


def test_of_two_claims_at_once_one_wins(aws: Backend) -> None:
    job = aws.new_job()
    faults = Faults(aws.dynamodb)
    slow = Claims(
        aws.jobs,
        transitions_of(faults.client, aws.jobs, aws.log, aws.clock),
        aws.settings,
        clock=aws.clock,
    )
    faults.before("transact_write_items", lambda: claimed(aws, job))
    assert slow.claim(job.job_id, model=None) is Refusal.HELD
    assert row(aws, job).epoch == 1
    assert types(aws, job) == ["metadata"]


def test_a_heartbeat_between_read_and_commit_saves_the_lease(aws: Backend) -> None:
    """The lease condition: without it a worker that is alive after all would lose its job."""
    job = aws.new_job()
    alive = claimed(aws, job)
    lapse(aws)
    faults = Faults(aws.dynamodb)
    rival = Claims(
        aws.jobs,
        transitions_of(faults.client, aws.jobs, aws.log, aws.clock),
        aws.settings,
        clock=aws.clock,
    )

    def renew() -> None:
        aws.jobs.renew(alive.job, aws.claims.lease_until(alive.job), alive.job.deadline_at)

    faults.before("transact_write_items", renew)
    assert rival.claim(job.job_id, model=None) is Refusal.HELD
    assert row(aws, job).epoch == 1


@pytest.mark.parametrize("action", ["claim", "finish"])
@pytest.mark.parametrize(
    "fault",
    [
        lambda f: f.lose_answer("transact_write_items"),
        lambda f: f.fail("transact_write_items", client_error("ThrottlingException"), 3),
        lambda f: f.fail("transact_write_items", conflict(), 3),
        lambda f: f.fail("transact_write_items", client_error("InternalServerError", 500), 2),
    ],
    ids=["lost answer", "throttled", "conflict", "internal error"],
)
def test_a_transition_is_made_exactly_once_whatever_happens_to_its_answer(
    aws: Backend, action: str, fault: Any
) -> None:
    job = aws.new_job()
    faults = Faults(aws.dynamodb)
    shaky = Claims(
        aws.jobs,
        transitions_of(faults.client, aws.jobs, aws.log, aws.clock),
        aws.settings,
        clock=aws.clock,
    )
    if action == "claim":
        fault(faults)
        claim = shaky.claim(job.job_id, model="offline")
        assert isinstance(claim, Claim)
        assert (row(aws, job).epoch, types(aws, job)) == (1, ["metadata"])
        write(aws, claim, claim.tail, "goes on")
    else:
        claim = claimed(aws, job)
        fault(faults)
        assert shaky.finish(claim, completed("x"), claim.tail).job.status is Status.COMPLETED
        assert types(aws, job) == ["metadata", "done"]


def conflict() -> Exception:
    error = client_error("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    return error
