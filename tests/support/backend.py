"""A fresh set of tables, queue, bucket and secret on moto inside the test's process, with our stores on top."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from graphjobs.aws.claims import Claims
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.schema import CHECKPOINTS_TABLE, EVENTS_TABLE, JOBS_TABLE
from graphjobs.aws.transition import Transitions
from graphjobs.core.event import Event
from graphjobs.core.job import Job, Status, new_job_id
from graphjobs.core.settings import Settings
from graphjobs.local.transactions import rolled_back_by_item
from graphjobs.testing import FakeClock

TICKET_KEYS = '{"current": "k1", "k1": "first-key-of-the-tests-0123456789abcdef"}'


@dataclass
class Backend:
    """Everything that the functions are built from, on one moto."""

    settings: Settings
    clock: FakeClock
    dynamodb: Any
    sqs: Any
    s3: Any
    secrets: Any
    jobs: JobStore
    log: DynamoEventLog
    transitions: Transitions
    claims: Claims
    queue: JobQueue
    environ: dict[str, str] = field(default_factory=dict)

    def new_job(self, *, owner: str = "user-1", graph: str = "chat", timeout: int = 3600, **changes: Any) -> Job:
        """A queued job, stored."""
        now = self.clock()
        job = Job(
            job_id=new_job_id(),
            owner=owner,
            graph=graph,
            status=Status.QUEUED,
            created_at=now,
            deadline_at=now + timeout * 1000,
            expires_at=now // 1000 + timeout + self.settings.retention_seconds,
            due_at=now + 15_000,
        )
        self.jobs.create(replace(job, **changes), '{"query":"hello"}', None, now)
        return replace(job, **changes)

    def messages(self) -> list[dict[str, Any]]:
        """What is in the queue now, received and deleted."""
        answer = self.sqs.receive_message(
            QueueUrl=self.settings.queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
        )
        received: list[dict[str, Any]] = answer.get("Messages", [])
        for message in received:
            self.sqs.delete_message(QueueUrl=self.settings.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return received

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """The whole log, as plain members."""
        parsed: list[Event] = []
        while slots := self.log.following(job_id, len(parsed) + 1, max_slots=10_000):
            parsed += [event.parse() for slot in slots for event in slot.events()]
        return [{"seq": e.seq, "type": e.type, "ts": e.ts, "data": e.data} for e in parsed]


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Have moto take one request at a time, as the local emulator does: under threads a compare-and-swap could be
    won twice."""
    lock, unlocked = threading.RLock(), BotocoreStubber.process_request

    def locked(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return unlocked(stubber, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "process_request", locked)
        yield


@cache
def client(service: str) -> Any:
    """The boto3 client of `service` that all backends of this process share: making one takes longer than most tests.
    A test that registers handlers on a client makes its own."""
    return boto3.client(service)  # type: ignore[call-overload]


def empty_aws() -> AbstractContextManager[Any]:
    """moto, with nothing in it."""
    # The default session stays: else botocore's models are parsed anew each time.
    return mock_aws(config={"core": {"reset_boto3_session": False}})


@contextmanager
def backend(**settings: Any) -> Iterator[Backend]:
    """A fresh backend, with `settings` in place of the defaults."""
    with one_at_a_time(), rolled_back_by_item(), empty_aws():
        dynamodb = client("dynamodb")
        for table, schema in (("jobs", JOBS_TABLE), ("events", EVENTS_TABLE), ("checkpoints", CHECKPOINTS_TABLE)):
            dynamodb.create_table(TableName=table, **schema)
        sqs = client("sqs")
        queue_url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
        s3 = client("s3")
        s3.create_bucket(Bucket="payloads")
        secrets = client("secretsmanager")
        secret = secrets.create_secret(Name="tickets", SecretString=TICKET_KEYS)["ARN"]
        environ = {
            "GRAPHJOBS_JOBS_TABLE": "jobs",
            "GRAPHJOBS_EVENTS_TABLE": "events",
            "GRAPHJOBS_CHECKPOINTS_TABLE": "checkpoints",
            "GRAPHJOBS_QUEUE_URL": queue_url,
            "GRAPHJOBS_PAYLOAD_BUCKET": "payloads",
            "GRAPHJOBS_STREAM_URL": "https://stream.example.test",
            "GRAPHJOBS_TICKET_SECRET": secret,
            "GRAPHJOBS_GRAPHS": "chat,report",
            "GRAPHJOBS_OIDC_ISSUER": "https://issuer.example.test",
            "GRAPHJOBS_OIDC_AUDIENCE": "graphjobs-test",
        }
        values = replace(Settings.from_env(environ), **settings)
        clock = FakeClock()
        jobs = JobStore(dynamodb, "jobs")
        log = DynamoEventLog(dynamodb, "events", PayloadStore(s3, "payloads"))
        transitions = Transitions(dynamodb, jobs, log, clock=clock, sleep=lambda _: None)
        yield Backend(
            settings=values,
            clock=clock,
            dynamodb=dynamodb,
            sqs=sqs,
            s3=s3,
            secrets=secrets,
            jobs=jobs,
            log=log,
            transitions=transitions,
            claims=Claims(jobs, transitions, values, clock=clock),
            queue=JobQueue(sqs, queue_url),
            environ=environ,
        )
