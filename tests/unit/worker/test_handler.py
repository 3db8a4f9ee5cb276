"""The Lambda: one SQS event in, what must come back out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from graphjobs.aws.cancel import cancel
from graphjobs.aws.claims import Claim
from graphjobs.core.job import new_job_id
from graphjobs.local.lambda_context import LambdaContext
from graphjobs.local.poller import sqs_event
from graphjobs.worker import handler as module
from tests.support.faults import client_error
from tests.support.worker.gate import Died, Gate, Trouble
from tests.support.worker.graphs import steps_of
from tests.support.worker.rig import Rig, message


def context(seconds: float = 900) -> LambdaContext:
    return LambdaContext("worker", time.monotonic() + seconds)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[dict[str, Any], int]]]:
    """A worker that fails for bodies which say so, and notes what it was given."""
    given: list[tuple[dict[str, Any], int]] = []

    class Scripted:
        def process(self, record: dict[str, Any], remaining_ms: int) -> None:
            given.append((record, remaining_ms))
            if record["body"] == "fails":
                raise RuntimeError("no")

    monkeypatch.setattr(module, "worker", Scripted)
    yield given


def test_only_the_records_that_failed_come_back(scripted: list[Any]) -> None:
    records = [message(body) for body in ("good", "fails", "good", "fails")]
    answer = module.handler({"Records": records}, context(100))
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": records[1]["messageId"]}, {"itemIdentifier": records[3]["messageId"]}]
    }
    assert [record for record, _ in scripted] == records
    assert all(0 < remaining <= 100_000 for _, remaining in scripted)


def test_a_message_goes_through_the_whole_worker(
    workers: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**workers.aws.environ, "GRAPHJOBS_CONFIG": str(workers.config)}.items():
        monkeypatch.setenv(name, value)
    module.worker.cache_clear()
    job = workers.job("parallel", {"rounds": 1})
    sqs, url = workers.aws.sqs, workers.aws.settings.queue_url
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"job_id": job.job_id}))
    received = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], VisibilityTimeout=930)["Messages"][0]
    try:
        answer = module.handler(sqs_event(received, "arn:aws:sqs:us-east-1:0:jobs"), context())
    finally:
        module.worker().host.loop.close()
        module.worker.cache_clear()
        sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
    assert answer == {"batchItemFailures": []}
    assert workers.row(job).status == "completed"
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("_aws" in line and "JobsCompleted" in line for line in printed), "metrics are flushed with each event"


@pytest.mark.parametrize(
    "body", ["", "not json", "[]", "5", "null", '{"job_id": 5}', '{"job_id": "job-1"}', '{"other": "x"}', "{" * 5000]
)
def test_a_poison_body_is_dropped_and_logged(workers: Rig, body: str) -> None:
    worker = workers.worker()
    worker.worker.process(message(body), 900_000)
    assert worker.gate.writes == []
    assert "dropped" in worker.logged[0]["message"] and worker.logged[0]["level"] == "ERROR"


def test_a_job_that_is_gone_is_acknowledged(workers: Rig) -> None:
    worker = workers.worker()
    worker.worker.process(message(json.dumps({"job_id": new_job_id()})), 900_000)
    assert worker.gate.writes == []


def test_the_visibility_is_set_before_anything_else(workers: Rig) -> None:
    job, worker = workers.job("rounds", {"rounds": 1}), workers.worker(Gate(die_at=1))
    with pytest.raises(Died):
        worker.process(job)
    assert worker.queue.calls[0][0] == "visibility" and worker.queue.calls[0][2] == 47
    assert workers.events(job) == []


def test_a_visibility_that_cannot_be_set_does_not_keep_the_job_from_running(workers: Rig) -> None:
    job, worker = workers.job("rounds", {"rounds": 1}), workers.worker()
    worker.queue.fail_visibility = client_error("InternalServerError", 500)
    worker.process(job)
    assert workers.row(job).status == "completed"


@pytest.mark.parametrize(("received", "seconds"), [(1, 2), (3, 8), (9, 60)])
def test_a_claim_that_fails_comes_back_later_and_later(workers: Rig, received: int, seconds: int) -> None:
    job, gate = workers.job("rounds", {"rounds": 1}), Gate()
    worker = workers.worker(gate)
    gate.die()
    with pytest.raises(ClientError):
        worker.process(job, received=received)
    assert [call[2] for call in worker.queue.calls] == [47, seconds]


def test_a_duplicate_of_a_held_job_is_acknowledged(workers: Rig) -> None:
    job = workers.job("rounds", {"rounds": 1})
    assert isinstance(workers.worker().claims.claim(job.job_id, model=None), Claim)
    before = (workers.row(job), workers.events(job))
    worker = workers.worker()
    worker.process(job)
    assert (workers.row(job), workers.events(job)) == before
    assert steps_of(worker.name) == [] and worker.metrics.names == []


def test_a_duplicate_of_a_job_that_has_ended_is_acknowledged(workers: Rig) -> None:
    job, worker = workers.job("rounds", {"rounds": 1}), workers.worker()
    worker.process(job)
    before = (workers.row(job), workers.events(job))
    worker.process(job)
    assert (workers.row(job), workers.events(job)) == before
    assert worker.metrics.names.count("JobsCompleted") == 1


def test_a_cancelling_job_whose_worker_was_lost_is_ended_without_a_run(workers: Rig) -> None:
    job = workers.job("rounds", {"rounds": 1})
    workers.worker().claims.claim(job.job_id, model=None)
    cancel(workers.row(job), workers.aws.jobs, workers.aws.transitions, clock=workers.aws.clock)
    workers.lapse()
    worker = workers.worker()
    worker.process(job)
    assert workers.row(job).status == "cancelled"
    assert steps_of(worker.name) == [] and "JobsCancelled" in worker.metrics.names


def test_one_warm_worker_runs_job_after_job(workers: Rig) -> None:
    worker = workers.worker()
    jobs = [workers.job(graph, {"rounds": 1}) for graph in ("tokens", "parallel", "no-such-graph", "rounds")]
    for job in jobs:
        worker.process(job)
    assert [workers.row(job).status for job in jobs] == ["completed", "completed", "failed", "completed"]
    worker.worker.reports.logger.info("between jobs")
    assert "job_id" not in worker.logged[-1]
    assert worker.worker.graphs.saver._on_saved is None


@pytest.mark.parametrize(
    "job_id",
    ["x\n{}\r\n{}", "\u2028\x1b[2J\x00", "input#x", "job-00000000-0000-4000-8000-000000000000\n", "Bearer a.b.c"],
)
def test_an_id_that_is_none_is_neither_looked_up_nor_logged(workers: Rig, job_id: str) -> None:
    """Whoever can send to the queue can write any text."""
    worker = workers.worker(gate := Trouble("", RuntimeError()))
    worker.worker.process(message(json.dumps({"job_id": job_id})), 900_000)
    assert gate.calls == [] and worker.exits == []
    (line,) = worker.logged
    assert job_id not in json.dumps(line, ensure_ascii=False) and "dropped" in line["message"]
