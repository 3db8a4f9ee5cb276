"""The watchdog: acts for a worker whose threads stand still, never for one that is stopped, gone or done."""

from __future__ import annotations

import contextlib
import io
import json
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from graphjobs.aws.claims import Claim
from graphjobs.core.job import Job, Release, Status
from graphjobs.core.lifecycle import cancel
from graphjobs.core.times import now_ms
from graphjobs.worker.heartbeat import Limits
from graphjobs.worker.watchdog_process import SILENT_SECONDS, Duty, WatchdogProcess, WorkerProcess
from tests.support.backend import Backend, backend

LATER = 10**15
SILENT, LIVELY = SILENT_SECONDS, 0.0


@pytest.fixture(scope="module")
def aws() -> Iterator[Backend]:
    with backend(in_memory=True, watch_seconds=0.05, heartbeat_seconds=0.0) as fresh:
        yield fresh


@dataclass
class Wire:
    """The worker's end of the connection: tells of a duty, and ends it after `looks` looks."""

    duty: Duty
    looks: int
    answers: list[Any] = field(default_factory=list)
    told: int = 0

    def poll(self, seconds: float) -> bool:
        self.looks -= 1
        return self.looks < 0

    def recv(self) -> Duty | None:
        self.told += 1
        if self.told > 2:
            raise EOFError
        return self.duty if self.told == 1 else None

    def send(self, answer: Any) -> None:
        self.answers.append(answer)


@dataclass
class Watched:
    """What a watchdog has done for one claim."""

    job: Job
    before: Job
    deleted: bool
    killed: bool
    answers: list[Any]


def claimed(aws: Backend) -> Claim:
    aws.clock.now = now_ms()
    claim = aws.claims.claim(aws.new_job().job_id, model=None)
    assert isinstance(claim, Claim)
    return claim


def watched(
    aws: Backend,
    claim: Claim,
    *,
    ages: Sequence[float] = (SILENT,),
    looks: int = 4,
    running: bool = True,
    leave_at: int = LATER,
) -> Watched:
    """Run the watchdog's process for `claim`; the pulse has the `ages`, of which the last one stays."""
    aws.messages()
    aws.queue.send("job-0123456789abcdef0123456789abcdef", "user-1")
    (message,) = aws.sqs.receive_message(QueueUrl=aws.settings.queue_url)["Messages"]
    left, killed = list(ages), []
    wire = Wire(Duty(claim, message["ReceiptHandle"], Limits(LATER, leave_at)), looks)
    before = row(aws, claim)
    made: Any = WatchdogProcess(
        wire,  # type: ignore[arg-type]
        WorkerProcess(
            1,
            lambda: left.pop(0) if len(left) > 1 else left[0],
            kill=lambda pid, number: killed.append((pid, number)),
            is_running=lambda pid: running,
        ),
        aws,  # type: ignore[arg-type]
        aws.settings,
        Logger(service="watchdog-test", stream=io.StringIO()),
    )
    made.run()
    with contextlib.suppress(aws.sqs.exceptions.ClientError):
        aws.sqs.change_message_visibility(
            QueueUrl=aws.settings.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    deleted = not any(m["ReceiptHandle"] and job_of(m).startswith("job-0123") for m in aws.messages())
    assert killed in ([], [(1, signal.SIGKILL)])
    return Watched(row(aws, claim), before, deleted, bool(killed), wire.answers)


def job_of(message: dict[str, Any]) -> str:
    return str(json.loads(message["Body"])["job_id"])


def row(aws: Backend, claim: Claim) -> Job:
    job = aws.jobs.get(claim.job.job_id)
    assert job is not None
    return job


def ask_to_cancel(aws: Backend, claim: Claim) -> None:
    applied: Any = aws.transitions.commit(claim.job.job_id, cancel, nonce="cancel")
    assert applied.job.status is Status.CANCELLING


def last_event(aws: Backend, claim: Claim) -> dict[str, Any]:
    return aws.events(claim.job.job_id)[-1]


def test_the_lease_of_a_silent_worker_is_renewed_and_its_message_hidden(aws: Backend) -> None:
    seen = watched(aws, claimed(aws))
    assert seen.job.lease_until > seen.before.lease_until
    assert (seen.job.status, seen.killed, seen.deleted) == (Status.RUNNING, False, False)
    assert seen.answers == [None], "the end of the duty is answered"


@pytest.mark.parametrize(("ages", "running"), [((LIVELY,), True), ((SILENT,), False)])
def test_nothing_is_done_for_a_worker_that_runs_or_that_is_stopped_or_gone(
    aws: Backend, ages: Sequence[float], running: bool
) -> None:
    claim = claimed(aws)
    ask_to_cancel(aws, claim)
    seen = watched(aws, claim, ages=ages, running=running)
    assert seen.job == seen.before
    assert not seen.killed


def test_a_cancelled_job_is_ended_in_the_place_of_a_silent_worker_which_ends_too(aws: Backend) -> None:
    claim = claimed(aws)
    ask_to_cancel(aws, claim)
    seen = watched(aws, claim)
    assert (seen.job.status, seen.killed, seen.deleted) == (Status.CANCELLED, True, True)
    assert last_event(aws, claim)["type"] == "done"


def test_a_worker_that_comes_to_itself_in_time_ends_its_job_itself(aws: Backend) -> None:
    claim = claimed(aws)
    ask_to_cancel(aws, claim)
    seen = watched(aws, claim, ages=(SILENT, LIVELY))
    assert (seen.job.status, seen.killed, seen.deleted) == (Status.CANCELLING, False, False)


def test_a_worker_that_comes_to_itself_while_its_job_is_ended_lives_on(aws: Backend) -> None:
    claim = claimed(aws)
    ask_to_cancel(aws, claim)
    seen = watched(aws, claim, ages=(SILENT, SILENT, LIVELY))
    assert (seen.job.status, seen.killed) == (Status.CANCELLED, False)


def test_a_job_past_its_deadline_fails(aws: Backend) -> None:
    claim = claimed(aws)
    late = replace(claim, job=replace(claim.job, deadline_at=now_ms() - 1))
    seen = watched(aws, late)
    assert (seen.job.status, seen.killed, seen.deleted) == (Status.FAILED, True, True)
    assert last_event(aws, claim)["data"]["error"]["code"] == "timed_out"


def test_a_step_that_outlives_the_function_is_given_up_and_the_job_sent_on(aws: Backend) -> None:
    seen = watched(aws, claimed(aws), leave_at=now_ms() - 1)
    assert (seen.job.released, seen.job.lease_until) == (Release.STEP_LIMIT, 0)
    assert (seen.killed, seen.deleted) == (True, True)


def test_a_silent_worker_that_lost_its_job_ends_and_touches_nothing(aws: Backend) -> None:
    claim = claimed(aws)
    lapsed = replace(row(aws, claim), lease_until=0)
    aws.jobs.update(row(aws, claim), lapsed)
    other = aws.claims.claim(claim.job.job_id, model=None)
    assert isinstance(other, Claim)
    seen = watched(aws, claim)
    assert seen.job == seen.before == row(aws, other)
    assert (seen.killed, seen.deleted) == (True, False)
