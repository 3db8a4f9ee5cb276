"""What DynamoDB's TTL takes away: no thread goes before its jobs, and no turn is kept by a job that is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from graphjobs.aws.cancel import cancel, delete_thread
from graphjobs.aws.checkpoint_table import Item
from graphjobs.aws.claims import Claim
from graphjobs.aws.state_store import StateStore
from graphjobs.core.event import event_line
from graphjobs.core.job import Job, Status
from graphjobs.core.lifetimes import MAX_AFTER_SECONDS, Lifetimes
from graphjobs.core.outcome import completed, failed, interrupted
from graphjobs.core.slot import Mark, freeze
from graphjobs.core.state_record import StateNote, StateRecord
from graphjobs.core.thread import Position, Thread, new_thread_id
from graphjobs.core.times import rfc3339
from graphjobs.http.problem import Problem
from graphjobs.worker.checkpoints import checkpoint_saver
from tests.support.backend import Backend, backend
from tests.unit.lifecycle.passes import Pass
from tests.unit.lifecycle.steps import claimed, row
from tests.unit.lifecycle.test_delayed import submit

DAY = 86_400


@pytest.fixture
def short() -> Iterator[Backend]:
    """A deployment that keeps threads for a day, which is less than a job may take."""
    lives = {"thread_retention_seconds": DAY, "retention_seconds": DAY, "max_timeout_seconds": 7 * DAY}
    with backend(in_memory=True, **lives) as aws:
        yield aws


def thread_of(aws: Backend, job: Job) -> Thread:
    """Its thread."""
    found = aws.threads.get(job.thread)
    assert found is not None
    return found


def finish(aws: Backend, job: Job, position: Position | None = None) -> None:
    """Run it, as far as `position`."""
    claim = claimed(aws, job)
    aws.claims.finish(claim, replace(completed("x"), position=position), claim.tail)


def with_head(aws: Backend) -> tuple[Job, int]:
    """The job that has moved a thread's head just now, and until when that is kept."""
    job = submit(aws, 0, thread_id=new_thread_id(), if_not_exists="create")
    finish(aws, job, Position(f"{job.job_id}:1", "c1"))
    return job, aws.clock() // 1000 + aws.settings.thread_retention_seconds


def state(position: Position) -> StateRecord:
    """What is stored of a checkpoint."""
    return StateRecord(note=StateNote(position=position, parent=None, job_id="job-1", epoch=1), body="{}")


def deleted_by_ttl(aws: Backend, job: Job) -> None:
    """DynamoDB deletes the row."""
    aws.dynamodb.delete_item(TableName="jobs", Key={"pk": {"S": f"job#{job.job_id}"}})


def test_a_thread_lives_as_long_as_a_job_that_outlives_its_retention(short: Backend) -> None:
    job = submit(short, 3 * DAY, thread_id=new_thread_id(), if_not_exists="create")
    second = submit(short, 0, thread_id=job.thread_id, timeout_seconds=7 * DAY)
    short.clock.advance(3 * DAY)
    assert not thread_of(short, job).expired(short.clock())
    waits = submit(short, 0, thread_id=job.thread_id)
    assert thread_of(short, job).waiting == (second.job_id, waits.job_id)
    finish(short, job)
    short.clock.advance(3 * DAY)
    assert not thread_of(short, job).expired(short.clock()), "another job has the turn"
    finish(short, second)


def test_bodies_outlive_a_job_that_is_delayed_for_as_long_as_may_be(short: Backend) -> None:
    job = submit(short, MAX_AFTER_SECONDS, timeout_seconds=short.settings.max_timeout_seconds)
    assert Lifetimes.of(short.settings).job >= job.log_expires_at - job.created_at // 1000


def test_a_head_can_be_begun_at_by_the_last_job_that_joins(short: Backend) -> None:
    """Given a head whose job went on for as long as it may after it, and a thread that has reached its last moment."""
    slowest = 7 * DAY
    at_last = slowest + DAY + MAX_AFTER_SECONDS + slowest
    position = Position("job-1:1", "c1")
    short.states.put("t", state(position))
    assert position in short.states.notes("t", at_last)
    assert position not in short.states.notes("t", at_last + 2 * DAY)
    checkpoint_saver(short.settings).table.put("job-1:1", Item("k", "", "c1", b""))
    key = {"PK": {"S": "job-1:1"}, "SK": {"S": "k"}}
    item = short.dynamodb.get_item(TableName="checkpoints", Key=key)["Item"]
    assert int(item["ttl"]["N"]) - time.time() > at_last + slowest, "newer checkpoints of the job need it"


def test_a_fork_is_refused_where_its_checkpoint_would_not_live_until_the_deadline(short: Backend) -> None:
    job = submit(short, 0, thread_id=new_thread_id(), if_not_exists="create")
    old = Position(f"{job.job_id}:1", "c1")
    states = StateStore(short.dynamodb, "checkpoints", lambda: short.s3, "payloads", 2 * DAY)
    states.put(job.thread, state(old))
    thread = thread_of(short, job)
    short.threads.commit(short.threads.touched(replace(thread, branches=(old,)), short.clock()))
    assert submit(short, 0, thread_id=job.thread, checkpoint_id="c1").start == old
    with pytest.raises(Problem, match="checkpoint"):
        submit(short, 2 * DAY, thread_id=job.thread, checkpoint_id="c1")


def test_once_nothing_is_to_come_it_is_kept_for_its_retention(short: Backend) -> None:
    job = submit(short, 0, thread_id=new_thread_id(), if_not_exists="create", timeout_seconds=7 * DAY)
    assert thread_of(short, job).expires_at == job.expires_at
    finish(short, job)
    assert thread_of(short, job).expires_at == short.clock() // 1000 + DAY


def test_a_job_without_a_thread_gives_the_one_that_is_made_of_it_its_own_time(short: Backend) -> None:
    job = submit(short, 0, timeout_seconds=7 * DAY)
    submit(short, 0, thread_id=job.thread, timeout_seconds=60)
    assert thread_of(short, job).expires_at == job.expires_at


@pytest.mark.parametrize("how", ["cancelled", "failed", "rolled back"])
def test_a_turn_that_leaves_nothing_does_not_prolong_a_thread_beyond_its_head(short: Backend, how: str) -> None:
    head, until = with_head(short)
    short.clock.advance(DAY / 2)
    job = submit(short, 0, thread_id=head.thread_id, timeout_seconds=7 * DAY)
    assert thread_of(short, job).expires_at == job.expires_at, "while it has a job it lives as long as that"
    if how == "failed":
        claim = claimed(short, job)
        short.claims.finish(claim, failed("graph_error"), claim.tail)
    else:
        cancel(job, short.jobs, short.transitions, clock=short.clock, rollback=how == "rolled back")
    assert thread_of(short, job).expires_at == until
    last = submit(short, 0, thread_id=head.thread_id)
    finish(short, last, Position("job-9:1", "c9"))
    assert thread_of(short, job).expires_at == short.clock() // 1000 + DAY, "until one moves it"


def test_a_row_that_an_older_release_has_changed_is_kept_as_long_as_that_said(short: Backend) -> None:
    head, until = with_head(short)
    job = submit(short, 0, thread_id=head.thread_id, timeout_seconds=60)
    short.dynamodb.update_item(
        TableName="jobs",
        Key={"pk": {"S": f"thread#{head.thread_id}"}},
        UpdateExpression="SET revision = revision + :one, expires_at = :later",
        ExpressionAttributeValues={":one": {"N": "1"}, ":later": {"N": str(until + DAY)}},
    )
    cancel(job, short.jobs, short.transitions, clock=short.clock)
    assert thread_of(short, job).expires_at == until + DAY


def test_a_deleted_thread_is_there_until_it_is_erased(short: Backend) -> None:
    head, until = with_head(short)
    short.clock.advance(DAY - 1)
    delete_thread(lambda: thread_of(short, head), short.threads, clock=short.clock)
    assert thread_of(short, head).expires_at == until + DAY - 1


@pytest.mark.parametrize("deleted", [True, False])
@pytest.mark.parametrize("strategy", ["enqueue", "interrupt"])
def test_a_turn_whose_job_is_gone_is_given_on(short: Backend, deleted: bool, strategy: str) -> None:
    """Given that nothing could end the job with the turn for as long as its row is kept."""
    lost = submit(short, 0, thread_id=new_thread_id(), if_not_exists="create", timeout_seconds=60)
    gone = submit(short, 0, thread_id=lost.thread_id, timeout_seconds=60)
    first = submit(short, 0, thread_id=lost.thread_id, timeout_seconds=7 * DAY)
    short.clock.advance(DAY + 60)
    if deleted:
        deleted_by_ttl(short, lost)
    second = submit(short, 0, thread_id=lost.thread_id, timeout_seconds=7 * DAY, multitask_strategy=strategy)
    thread = thread_of(short, lost)
    assert gone.job_id not in thread.waiting
    if strategy == "enqueue":
        assert (thread.turn, thread.waiting) == (first.job_id, (second.job_id,))
        finish(short, first)
    assert row(short, first).status.terminal
    assert (thread_of(short, lost).turn, thread_of(short, lost).waiting) == (second.job_id, ())
    finish(short, second)
    assert thread_of(short, lost).turn is None


def test_a_thread_whose_only_job_is_gone_is_free(short: Backend) -> None:
    lost = submit(short, 0, thread_id=new_thread_id(), if_not_exists="create", timeout_seconds=60)
    short.clock.advance(DAY + 60)
    thread = short.threads.touched(thread_of(short, lost), short.clock())
    short.threads.commit(thread)
    deleted_by_ttl(short, lost)
    job = submit(short, 0, thread_id=lost.thread_id)
    assert not row(short, job).waiting
    finish(short, job)


def test_the_reconciler_ends_what_has_outlived_its_row(short: Backend) -> None:
    """Given that it was not run for as long as rows are kept, then what DynamoDB has not deleted ends as ever."""
    lost = submit(short, 0, thread_id=new_thread_id(), if_not_exists="create", timeout_seconds=60)
    waits = submit(short, 0, thread_id=lost.thread_id, timeout_seconds=7 * DAY)
    short.clock.advance(DAY + 60)
    assert Pass(short).run() == {"ended": 1}
    assert row(short, lost).status is Status.FAILED
    assert thread_of(short, lost).turn == waits.job_id


def marked(aws: Backend, claim: Claim, checkpoint_id: str) -> None:
    """The worker has told of a checkpoint."""
    mark = Mark(claim.thread, checkpoint_id, claim.tail.last_seq)
    first, expires = claim.tail.next_seq, claim.job.log_expires_at
    line = event_line(first, "update", rfc3339(aws.clock()), "{}")
    aws.log.append(freeze(claim.job.job_id, first, [line], nonce=claim.nonce, mark=mark, expires_at=expires))


@pytest.mark.parametrize("rollback", [True, False])
def test_what_a_job_without_a_thread_had_saved_when_it_was_rolled_back_is_no_beginning(
    short: Backend, rollback: bool
) -> None:
    job = submit(short, 0)
    claim = claimed(short, job)
    marked(short, claim, "c1")
    cancel(claim.job, short.jobs, short.transitions, clock=short.clock, rollback=rollback)
    short.claims.finish(claim, completed("x"), None)
    saved = Position(claim.thread, "c1")
    assert submit(short, 0, thread_id=job.thread).start == (None if rollback else saved)


@pytest.mark.parametrize("how", ["completed", "interrupted"])
def test_a_thread_that_has_expired_is_not_back_as_its_first_job_left_it(short: Backend, how: str) -> None:
    """Given a thread that was made of a job, whose row lives for longer."""
    job = submit(short, 0, timeout_seconds=7 * DAY)
    claim, saved = claimed(short, job), Position(f"{job.job_id}:1", "c1")
    end = completed("x") if how == "completed" else interrupted("x", [])
    marked(short, claim, "c1")
    short.claims.finish(claim, replace(end, position=saved), None)
    second = submit(short, 0, thread_id=job.thread)
    assert second.start == saved
    finish(short, second, Position(f"{second.job_id}:1", "c2"))
    short.clock.advance(DAY + 1)
    assert not row(short, job).expired(short.clock())
    with pytest.raises(Problem, match="thread"):
        submit(short, 0, thread_id=job.thread)
    anew = submit(short, 0, thread_id=job.thread, if_not_exists="create")
    assert anew.start is None
    assert thread_of(short, anew).head is None


def test_a_job_ends_though_the_one_that_waits_is_gone(short: Backend) -> None:
    """Given that nothing could end that one for as long as its row is kept."""
    job = submit(short, 0, thread_id=new_thread_id(), if_not_exists="create", timeout_seconds=7 * DAY)
    gone = [submit(short, 0, thread_id=job.thread_id, timeout_seconds=60) for _ in range(2)]
    waits = submit(short, 0, thread_id=job.thread_id, timeout_seconds=7 * DAY)
    short.clock.advance(DAY + 60)
    for each in gone:
        deleted_by_ttl(short, each)
    finish(short, job)
    assert (thread_of(short, job).turn, thread_of(short, job).waiting) == (waits.job_id, ())
    finish(short, waits)
    assert thread_of(short, job).turn is None


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
def test_a_job_that_waits_and_is_gone_need_not_be_stopped(short: Backend, strategy: str) -> None:
    job = submit(short, 0, thread_id=new_thread_id(), if_not_exists="create", timeout_seconds=7 * DAY)
    gone = submit(short, 0, thread_id=job.thread_id, timeout_seconds=60)
    short.clock.advance(DAY + 60)
    deleted_by_ttl(short, gone)
    last = submit(short, 0, thread_id=job.thread_id, multitask_strategy=strategy)
    assert row(short, job).status is Status.CANCELLED
    assert (thread_of(short, job).turn, thread_of(short, job).waiting) == (last.job_id, ())


def test_a_head_is_kept_from_the_deadline_of_a_job_that_was_ended_late(short: Backend) -> None:
    """Given that nobody could end it before: what it has saved is older than that."""
    job = submit(short, 0, thread_id=new_thread_id(), if_not_exists="create", timeout_seconds=60)
    marked(short, claimed(short, job), "c1")
    short.clock.advance(DAY / 2)
    assert Pass(short).run() == {"ended": 1}
    assert thread_of(short, job).head == Position(f"{job.job_id}:1", "c1")
    assert thread_of(short, job).kept_until == job.deadline_at // 1000 + DAY


def test_no_job_joins_that_may_begin_when_the_head_is_not_stored_any_more(short: Backend) -> None:
    """Given a thread that is there only for its jobs, none of which moves the head."""
    head, until = with_head(short)
    first = submit(short, MAX_AFTER_SECONDS, thread_id=head.thread_id)
    short.clock.advance(DAY)
    in_time = submit(short, 0, thread_id=head.thread_id, timeout_seconds=7 * DAY)
    short.clock.advance(1)
    for after, timeout in ((0, 7 * DAY), (7 * DAY, 60)):
        with pytest.raises(Problem, match="has not ended"):
            submit(short, after, thread_id=head.thread_id, timeout_seconds=timeout)
    assert in_time.deadline_at <= (until + MAX_AFTER_SECONDS) * 1000
    assert thread_of(short, head).waiting == (in_time.job_id,)
    finish(short, cancel(first, short.jobs, short.transitions, clock=short.clock) and in_time)
