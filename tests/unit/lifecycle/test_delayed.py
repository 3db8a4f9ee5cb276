"""A job with ``after_seconds``: it begins no sooner, can be cancelled, ends at its deadline, and is not forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from graphjobs.api.job_request import JobRequest
from graphjobs.api.joining import Joining
from graphjobs.api.submission import Submission
from graphjobs.aws.queue import MAX_DELAY_SECONDS, JobQueue
from graphjobs.core.change import Refusal
from graphjobs.core.job import Job, Status
from graphjobs.core.outcome import completed
from graphjobs.core.thread import new_thread_id
from tests.support.backend import Backend
from tests.unit.lifecycle.passes import Pass, sent
from tests.unit.lifecycle.steps import cancel, claimed, done, row


class Sent:
    """An SQS client that notes how long each message waits."""

    def __init__(self) -> None:
        self.delays: list[int] = []

    def send_message(self, **message: Any) -> None:
        """See boto3's SQS client."""
        self.delays.append(message["DelaySeconds"])


def submit(aws: Backend, after_seconds: int, sqs: Sent | None = None, **members: Any) -> Job:
    """A job as ``POST /jobs`` makes it."""
    joining = Joining(aws.jobs, aws.threads, aws.log, aws.transitions, aws.history, aws.clock)
    queue = JobQueue(sqs or Sent(), "queue")  # type: ignore[arg-type]
    request = JobRequest(query="hello", after_seconds=after_seconds, **members)
    job, _ = Submission(aws.jobs, queue, aws.settings, joining, aws.clock).submit("user-1", request, None)
    return job


def early(aws: Backend, job: Job) -> None:
    """A message that comes too early, such as one that was sent twice, finds nothing to run."""
    assert aws.claims.claim(job.job_id, model="offline") is Refusal.WAITING


@pytest.mark.parametrize(("after", "delay"), [(0, 0), (1, 2), (60, 61), (MAX_DELAY_SECONDS, MAX_DELAY_SECONDS)])
def test_its_message_waits_in_the_queue_and_a_little_longer(aws: Backend, after: int, delay: int) -> None:
    sqs = Sent()
    job = submit(aws, after, sqs)
    assert sqs.delays == [delay]
    assert row(aws, job).sends == 1


def test_it_begins_no_sooner(aws: Backend) -> None:
    job = submit(aws, 60)
    aws.clock.advance(59.999)
    early(aws, job)
    aws.clock.advance(0.001)
    assert claimed(aws, job).job.started_at == job.created_at + 60_000


def test_its_time_counts_from_its_beginning(aws: Backend) -> None:
    job = submit(aws, 3600, timeout_seconds=10)
    assert job.deadline_at == job.created_at + 3_610_000
    aws.clock.advance(3601)
    claim = claimed(aws, job)
    aws.claims.finish(claim, completed("x"), claim.tail)
    assert done(aws, job)["status"] == "completed"


def test_one_that_no_message_can_wait_for_is_sent_when_it_is_due_once(aws: Backend, reconcile: Pass) -> None:
    """A message waits 15 minutes at most."""
    sqs = Sent()
    job = submit(aws, MAX_DELAY_SECONDS + 1, sqs)
    assert sqs.delays == []
    for _ in range(15):
        assert reconcile.run() == {}
        aws.clock.advance(60)
    early(aws, job)
    aws.clock.advance(60)
    assert reconcile.run() == {"sent": 1}
    assert reconcile.run() == {}
    assert sent(aws) == [job.job_id]
    claimed(aws, job)


def test_a_lost_message_is_sent_again_only_after_its_time(aws: Backend, reconcile: Pass) -> None:
    job = submit(aws, 600)
    aws.clock.advance(600 + 899)
    assert reconcile.run() == {}
    aws.clock.advance(1)
    assert reconcile.run() == {"sent": 1}
    assert sent(aws) == [job.job_id]


@pytest.mark.parametrize("after", [60, 604_800])
def test_a_cancel_ends_it_at_once_and_its_message_finds_nothing(aws: Backend, reconcile: Pass, after: int) -> None:
    job = submit(aws, after)
    cancel(aws, job)
    assert done(aws, job) == {"status": "cancelled", "result": None}
    aws.clock.advance(after)
    assert aws.claims.claim(job.job_id, model="offline") is Refusal.TERMINAL
    assert reconcile.run() == {}


def test_one_that_nobody_takes_ends_at_its_deadline(aws: Backend, reconcile: Pass) -> None:
    job = submit(aws, 1200, timeout_seconds=30)
    aws.clock.now = job.deadline_at - 1
    reconcile.run()
    assert not row(aws, job).status.terminal
    aws.clock.now = job.deadline_at
    assert reconcile.run() == {"ended": 1}
    assert done(aws, job)["status"] == "failed"


def test_a_turn_that_comes_before_its_time_is_kept_until_then(aws: Backend, reconcile: Pass) -> None:
    """Given a delayed job that waits for another's turn, then the turn's message is too early, and another is sent."""
    thread_id = new_thread_id()
    first = submit(aws, 0, thread_id=thread_id, if_not_exists="create")
    second = submit(aws, 300, thread_id=thread_id)
    assert row(aws, second).waiting
    claim = claimed(aws, first)
    aws.claims.finish(claim, completed("x"), claim.tail)
    assert not row(aws, second).waiting
    early(aws, second)
    sent(aws)
    for _ in range(4):
        aws.clock.advance(60)
        assert "sent" not in reconcile.run() and sent(aws) == []
    aws.clock.advance(60)
    assert reconcile.run() == {"sent": 1}
    assert sent(aws) == [second.job_id]
    assert claimed(aws, second).job.status is Status.RUNNING
