"""A fresh set of tables, queue, bucket and secret inside the test's process, with our stores on top.

All of it is moto's, but that the tables may be in memory: for tests of what uses the stores, which are many. Tests of
the stores themselves, and those of whole processes, are on moto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from graphjobs.aws.claims import Claims
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.input_bodies import InputBodies
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.state_store import StateStore
from graphjobs.aws.thread_history import ThreadHistory
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.aws.transition import Transitions
from graphjobs.core.event import Event
from graphjobs.core.job import Job, Status, new_job_id
from graphjobs.core.lifetimes import Lifetimes
from graphjobs.core.settings import Settings
from graphjobs.testing import FakeClock
from graphjobs.testing.aws import client, emulated_aws
from tests.support.memory_aws import tables_in_memory
from tests.support.tables import MemoryTables


@dataclass
class Backend:
    """Everything that the functions are built from."""

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
    threads: ThreadStore
    states: StateStore
    history: ThreadHistory
    environ: dict[str, str] = field(default_factory=dict)
    tables: MemoryTables | None = None
    """Where its tables are in memory."""

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


def transitions_of(
    client: Any,
    jobs: JobStore,
    log: DynamoEventLog,
    clock: Callable[[], int],
    announce: Callable[[str, str], None] = lambda job_id, owner: None,
    thread_retention_seconds: int = Settings().thread_retention_seconds,
) -> Transitions:
    """Transitions over `client` that do not sleep between their tries."""
    threads = ThreadStore(client, "jobs", thread_retention_seconds)
    return Transitions(client, jobs, log, threads=threads, announce=announce, clock=clock, sleep=lambda _: None)


@contextmanager
def backend(*, in_memory: bool = False, **settings: Any) -> Iterator[Backend]:
    """A fresh backend, with `settings` in place of the defaults; its tables are `in_memory`, or else moto's."""
    with emulated_aws() as named, tables_in_memory() if in_memory else nullcontext() as tables:
        dynamodb, sqs, s3 = client("dynamodb"), client("sqs"), client("s3")
        environ = named | {
            "GRAPHJOBS_STREAM_URL": "https://stream.example.test",
            "GRAPHJOBS_GRAPHS": "chat,report",
            "GRAPHJOBS_OIDC_ISSUER": "https://issuer.example.test",
            "GRAPHJOBS_OIDC_AUDIENCE": "graphjobs-test",
        }
        values = replace(Settings.from_env(environ), **settings)
        clock = FakeClock()
        jobs = JobStore(dynamodb, "jobs", InputBodies(lambda: s3, "payloads"))
        log = DynamoEventLog(dynamodb, "events", PayloadStore(s3, "payloads"))
        queue = JobQueue(sqs, values.queue_url)
        transitions = transitions_of(dynamodb, jobs, log, clock, queue.announce, values.thread_retention_seconds)
        states = StateStore(dynamodb, "checkpoints", lambda: s3, "payloads", Lifetimes.of(values).state)
        yield Backend(
            settings=values,
            clock=clock,
            dynamodb=dynamodb,
            sqs=sqs,
            s3=s3,
            secrets=client("secretsmanager"),
            jobs=jobs,
            log=log,
            transitions=transitions,
            claims=Claims(jobs, transitions, values, clock=clock),
            queue=queue,
            threads=ThreadStore(dynamodb, "jobs", values.thread_retention_seconds),
            states=states,
            history=ThreadHistory(jobs, log, states),
            environ=environ,
            tables=tables,
        )
