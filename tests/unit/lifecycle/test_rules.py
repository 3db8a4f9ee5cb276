"""The rules of a job's life by themselves: no backend, a table of what each says of a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graphjobs.core import lifecycle
from graphjobs.core.change import Change, Refusal, Situation
from graphjobs.core.event import Event
from graphjobs.core.job import Job, Release, Status
from graphjobs.core.lifecycle import Policy
from graphjobs.core.outcome import Cause, completed
from graphjobs.core.slot import Mark, Slot, freeze

NOW = 1_800_000_000_000
POLICY = Policy(lease_ms=45_000, heartbeat_ms=15_000, max_attempts=3, max_handoffs=2, max_starts=4)
QUEUED = Job(
    job_id="job-1",
    owner="user-1",
    graph="chat",
    status=Status.QUEUED,
    created_at=NOW,
    deadline_at=NOW + 3_600_000,
    expires_at=NOW // 1000 + 100_000,
)
HELD = replace(QUEUED, status=Status.RUNNING, epoch=1, attempt=1, lease_until=NOW + 45_000, started_at=NOW)
LAPSED = replace(HELD, lease_until=NOW)
MARK = Mark("t", "c1", 1)


def tail(mark: Mark | None = None) -> Slot:
    line = Event(1, "metadata", "t", {}).line()
    return freeze("job-1", 1, [line], nonce="n", mark=mark, expires_at=1)


def changed(answer: Change | Refusal) -> Change:
    assert isinstance(answer, Change), answer
    return answer


@pytest.mark.parametrize(
    ("row", "refusal"),
    [
        (HELD, Refusal.HELD),
        (replace(HELD, status=Status.CANCELLING), Refusal.HELD),
        (replace(HELD, status=Status.COMPLETED, lease_until=0), Refusal.TERMINAL),
    ],
)
def test_what_is_not_claimed_is_not_expired_either(row: Job, refusal: Refusal) -> None:
    at = Situation(row, tail(), NOW)
    assert lifecycle.claim(at, POLICY, None) is refusal
    assert lifecycle.expire(at, POLICY) is refusal


def test_what_is_past_its_time_to_live_is_ended_and_not_claimed() -> None:
    at = Situation(replace(QUEUED, expires_at=NOW // 1000, deadline_at=NOW - 60_000), None, NOW)
    assert lifecycle.claim(at, POLICY, None) is Refusal.TERMINAL
    assert changed(lifecycle.expire(at, POLICY)).job.status is Status.FAILED


@pytest.mark.parametrize("row", [QUEUED, LAPSED, replace(LAPSED, released=Release.HANDOFF)])
def test_what_may_run_is_claimed_and_not_expired(row: Job) -> None:
    at = Situation(row, tail() if row.epoch else None, NOW)
    claim = changed(lifecycle.claim(at, POLICY, "offline"))
    assert claim.job.epoch == row.epoch + 1 and claim.job.held(NOW) and len(claim.events) == 1
    assert claim.outcome is None
    assert lifecycle.expire(at, POLICY) is Refusal.FINE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"deadline_at": NOW}, "timed_out"),
        ({"attempt": 3}, "worker_lost"),
        ({"attempt": 3, "released": Release.STEP_LIMIT}, "step_exceeds_limit"),
        ({"handoffs": 3, "released": Release.HANDOFF}, "too_many_handoffs"),
        ({"status": Status.CANCELLING}, None),
    ],
)
def test_what_must_end_is_ended_by_whoever_comes_first(changes: dict[str, Any], code: str | None) -> None:
    at = Situation(replace(LAPSED, **changes), tail(MARK), NOW)
    claim, expire = lifecycle.claim(at, POLICY, "offline"), lifecycle.expire(at, POLICY)
    assert claim == expire
    end = changed(claim)
    assert end.outcome is not None and end.outcome.code == code
    assert end.job.status is (Status.FAILED if code else Status.CANCELLED)
    assert end.events[-1] == ("done", end.outcome.done()) and end.mark == MARK
    assert end.job.epoch == at.job.epoch


@pytest.mark.parametrize("row", [replace(HELD, epoch=2), replace(HELD, status=Status.FAILED)])
def test_who_has_lost_the_job_may_neither_finish_nor_release_it(row: Job) -> None:
    at = Situation(row, tail(), NOW)
    assert lifecycle.finish(at, 1, completed("late")) is Refusal.LOST
    assert lifecycle.release(at, POLICY, 1, Release.HANDOFF, MARK) is Refusal.LOST


def test_a_release_changes_the_row_alone_and_a_second_time_nothing() -> None:
    first = changed(lifecycle.release(Situation(HELD, None, NOW), POLICY, 1, Release.HANDOFF, MARK))
    assert not first.events and not first.job.held(NOW) and first.job.mark == MARK
    assert changed(lifecycle.release(Situation(first.job, None, NOW + 5), POLICY, 1, Release.HANDOFF, MARK)).job == (
        first.job
    )


def test_asking_a_worker_to_stop_takes_neither_its_lease_nor_its_next_slot() -> None:
    asked = changed(lifecycle.cancel(Situation(HELD, None, NOW)))
    assert not asked.events and asked.job == replace(HELD, status=Status.CANCELLING)


def test_a_cancel_wins_over_the_result() -> None:
    cancelling = Situation(replace(HELD, status=Status.CANCELLING), tail(), NOW)
    assert changed(lifecycle.finish(cancelling, 1, completed("x"))).job.status is Status.CANCELLED


def test_the_newer_of_two_marks_is_carried_on() -> None:
    released = replace(LAPSED, released=Release.HANDOFF, mark=Mark("t", "c2", 7))
    assert changed(lifecycle.claim(Situation(released, tail(MARK), NOW), POLICY, None)).mark == released.mark
    older = replace(released, mark=Mark("t", "c0", 0))
    assert changed(lifecycle.claim(Situation(older, tail(MARK), NOW), POLICY, None)).mark == MARK


def test_a_start_that_failed_is_counted_without_a_word_to_the_client() -> None:
    change = changed(lifecycle.start_failed(Situation(QUEUED, None, NOW), POLICY, None))
    assert change == Change(replace(QUEUED, start_failures=1))


@pytest.mark.parametrize("row", [QUEUED, LAPSED, replace(LAPSED, released=Release.HANDOFF)])
def test_the_last_start_ends_what_nobody_runs(row: Job) -> None:
    before = replace(row, start_failures=POLICY.max_starts - 1)
    change = changed(
        lifecycle.start_failed(Situation(before, tail(MARK) if row.epoch else None, NOW), POLICY, Cause("OSError"))
    )
    assert change.job.status is Status.FAILED and change.events[-1][0] == "done"
    assert change.events[-1][1]["error"]["code"] == "worker_init"
    assert change.events[-1][1]["error"]["type"] == "OSError"


@pytest.mark.parametrize(
    ("row", "refusal"),
    [
        (HELD, Refusal.HELD),
        (replace(HELD, status=Status.COMPLETED, lease_until=0), Refusal.TERMINAL),
        (replace(QUEUED, waiting=True), Refusal.WAITING),
        (replace(QUEUED, not_before=NOW + 1), Refusal.WAITING),
    ],
)
def test_a_start_is_not_counted_for_a_job_that_was_not_to_run(row: Job, refusal: Refusal) -> None:
    assert lifecycle.start_failed(Situation(row, tail(), NOW), POLICY, None) is refusal


@pytest.mark.parametrize(
    ("changes", "code"), [({"deadline_at": NOW}, "timed_out"), ({"status": Status.CANCELLING}, None)]
)
def test_a_start_that_failed_ends_what_must_end(changes: dict[str, Any], code: str | None) -> None:
    change = changed(lifecycle.start_failed(Situation(replace(LAPSED, **changes), tail(), NOW), POLICY, None))
    assert change.job.status.terminal
    assert change.outcome is not None and change.outcome.code == code


def test_a_claim_forgets_the_starts_that_failed() -> None:
    at = Situation(replace(QUEUED, start_failures=9), None, NOW)
    assert changed(lifecycle.claim(at, POLICY, None)).job.start_failures == 0
