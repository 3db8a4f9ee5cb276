"""Workers in the test's process: each with AWS clients of its own behind a `Gate`, a queue in memory, a fake exit."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import EndpointConnectionError

from graphjobs.aws.checkpoint_table import CheckpointTable
from graphjobs.aws.claims import Claims
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.input_bodies import InputBodies
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.state_store import StateStore
from graphjobs.core.job import Job
from graphjobs.core.lifetimes import Lifetimes
from graphjobs.core.settings import Settings
from graphjobs.core.times import now_ms
from graphjobs.testing import MemoryMetrics, MemoryQueue
from graphjobs.testing.aws import own_client
from graphjobs.worker.checkpoints import ConfirmingSaver
from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.job_run import JobRun
from graphjobs.worker.parts import Graphs, Host, Keepalive, Reports, Stores
from graphjobs.worker.worker import Worker
from tests.support.backend import Backend, transitions_of
from tests.support.worker import graphs as worker_graphs
from tests.support.worker.checkpoints import GatedSaver, MemoryCheckpoints
from tests.support.worker.gate import Gate, Wire

PLENTY_MS = 900_000
PATIENCE_SECONDS = 30


class Unreachable:
    """A job store that nobody can reach."""

    def peek(self, job_id: str) -> Job:
        """See `JobStore.peek`."""
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

    def renew(self, job: Job, lease_until: int, due_at: int) -> Job:
        """See `JobStore.renew`."""
        return self.peek(job.job_id)


@dataclass
class Parts:
    """What is slow to make and can be taken over by the next process."""

    wire: Wire
    dynamodb: Any
    heartbeat: Any
    s3: Any
    saver: Any = None
    saver_of: Settings | None = None
    """Whose saver it is."""


@dataclass
class RiggedWorker:
    """One worker process."""

    name: str
    worker: Worker
    gate: Gate
    queue: MemoryQueue
    metrics: MemoryMetrics
    exits: list[int]
    claims: Claims
    _text: io.StringIO
    _parts: Parts

    def process(self, job: Job, *, remaining_ms: int = PLENTY_MS, received: int = 1) -> None:
        """Give it the message of `job`."""
        worker_graphs.begin(self.name)
        self.worker.process(message(json.dumps({"job_id": job.job_id}), received), remaining_ms)

    def blind(self) -> None:
        """Cut its heartbeat off: it does not learn from the row that it has lost the job."""
        self.worker.keepalive = Keepalive(Unreachable(), self.worker.stores.queue)  # type: ignore[arg-type]

    def leaves_by(self, exit: Callable[[int], Any]) -> None:
        """Have it call `exit` where it would end its process."""
        self.worker.host = replace(self.worker.host, exit=exit)

    def before_save(self, number: int, action: Callable[[], object]) -> None:
        """Have `action` happen before the state of round `number` is saved."""
        saver: Any = self.worker.graphs.saver
        saver.before_save[number] = action

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [json.loads(line) for line in self._text.getvalue().splitlines()]


def message(body: str, received: int = 1) -> dict[str, Any]:
    """One SQS record."""
    return {
        "messageId": f"message-{uuid.uuid4()}",
        "receiptHandle": f"receipt-{uuid.uuid4()}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(received)},
    }


@dataclass
class Rig:
    """A backend, and workers on it; real time, but leases lapse when told."""

    aws: Backend
    config: Path
    workers: list[RiggedWorker] = field(default_factory=list)
    checkpoints: MemoryCheckpoints = field(default_factory=MemoryCheckpoints)
    runs: list[JobRun] = field(default_factory=list)
    _free: list[Parts] = field(default_factory=list)

    def job(self, graph: str, given: dict[str, Any] | None = None, *, timeout: int = 3600) -> Job:
        """A queued job of `graph` with the input `given`."""
        self.aws.clock.now = max(self.aws.clock.now, now_ms())
        job = self.aws.new_job(graph=graph, timeout=timeout)
        self.aws.dynamodb.put_item(
            TableName="jobs",
            Item={"pk": {"S": f"input#{job.job_id}"}, "body": {"S": json.dumps({"input": given or {}})}},
        )
        return job

    def worker(self, gate: Gate | None = None, *, durable_saver: bool = False, **settings: Any) -> RiggedWorker:
        """A new worker process; with `durable_saver` its checkpoints are in DynamoDB, else in the rig's memory."""
        parts = self._parts(durable_saver)
        gate = parts.wire.gate = gate or Gate()
        values = replace(self.aws.settings, config=str(self.config), **settings)
        name = f"worker-{uuid.uuid4().hex}"
        jobs = JobStore(parts.dynamodb, "jobs", InputBodies(lambda: parts.s3, "payloads"))
        log = DynamoEventLog(parts.dynamodb, "events", PayloadStore(parts.s3, "payloads"))
        queue, metrics, text = MemoryQueue(), MemoryMetrics(), io.StringIO()
        jobs_queue = JobQueue(queue, "queue")  # type: ignore[arg-type]
        transitions = transitions_of(parts.dynamodb, jobs, log, self.aws.clock, jobs_queue.announce)
        claims = Claims(jobs, transitions, values, clock=self.aws.clock)
        exits: list[int] = []
        made: Any = Worker(
            values,
            Stores(jobs, log, claims, jobs_queue, self.aws.threads, self.aws.history),
            Keepalive(JobStore(parts.heartbeat, "jobs"), jobs_queue),
            Graphs(
                loader=GraphLoader(values.config),
                saver=parts.saver or GatedSaver(self.checkpoints, gate),  # type: ignore[arg-type]
                states=StateStore(
                    parts.dynamodb, "checkpoints", lambda: parts.s3, "payloads", Lifetimes.of(self.aws.settings).state
                ),
                error_detail=values.error_detail,
            ),
            Host(asyncio.new_event_loop(), exit=exits.append),
            Reports(Logger(service=name, stream=text), metrics),  # type: ignore[arg-type]
            self._new_run,
        )
        logging.Logger.manager.loggerDict.pop(name)  # Python goes through all that it knows each time one is made
        rigged = RiggedWorker(name, made, gate, queue, metrics, exits, claims, text, parts)
        self.workers.append(rigged)
        return rigged

    def _new_run(self, *args: Any, **named: Any) -> JobRun:
        self.runs.append(JobRun(*args, **named))
        return self.runs[-1]

    def retire(self, rigged: RiggedWorker) -> None:
        """End a worker that has left nothing running; its clients are used again."""
        assert not rigged.exits
        rigged.worker.host.loop.close()
        self.workers.remove(rigged)
        self._free.append(rigged._parts)

    def _parts(self, durable_saver: bool) -> Parts:
        saver_of = self.aws.settings if durable_saver else None
        for parts in self._free:
            if parts.saver_of == saver_of:
                self._free.remove(parts)
                return parts
        wire = Wire()
        dynamodb = wire.attach(own_client("dynamodb"), "worker")
        heartbeat = wire.attach(own_client("dynamodb"), "heartbeat", counted=False)
        parts = Parts(wire, dynamodb, heartbeat, wire.attach(own_client("s3"), "s3"))
        if durable_saver:
            parts.saver, parts.saver_of = _saver(wire, self.aws.settings), saver_of
        return parts

    def until_logged(self, job: Job, kind: str, number: int = 1) -> None:
        """Wait until the log holds `number` events of type `kind`."""
        until(lambda: sum(event["type"] == kind for event in self.events(job)) >= number)

    def until_marked(self, job: Job) -> None:
        """Wait until the log names a checkpoint after its first `update`: that of the step which ended with it."""

        def marked() -> bool:
            updated = next((event["seq"] for event in self.events(job) if event["type"] == "update"), None)
            tail = self.aws.log.tail(job.job_id)
            mark = tail.mark if tail is not None else None
            return updated is not None and mark is not None and mark.boundary_seq >= updated

        until(marked)

    def add_graphs(self, graphs: dict[str, str]) -> None:
        """Have the workers to come know these as well."""
        config = json.loads(self.config.read_text())
        config["graphs"] |= graphs
        self.config.write_text(json.dumps(config))

    def lapse(self) -> None:
        """Let the leases in force run out."""
        self.aws.clock.advance(self.aws.settings.lease_seconds + 1)

    def row(self, job: Job) -> Job:
        """The row now."""
        found = self.aws.jobs.get(job.job_id)
        assert found is not None
        return found

    def events(self, job: Job) -> list[dict[str, Any]]:
        """The log now."""
        return self.aws.events(job.job_id)


def _saver(wire: Wire, settings: Settings) -> ConfirmingSaver:
    """As `checkpoint_saver`, with clients of its own whatever a test puts in the place of ours."""
    dynamodb, s3 = wire.attach(own_client("dynamodb"), "saver"), wire.attach(own_client("s3"), "saver-s3")
    ttl = Lifetimes.of(settings).checkpoint
    return ConfirmingSaver(
        CheckpointTable(dynamodb, settings.checkpoints_table, s3, settings.payload_bucket, ttl_seconds=ttl)
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds, which another thread brings about."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@contextmanager
def rig(aws: Backend, folder: Path, graphs: dict[str, str], spare: list[Parts]) -> Iterator[Rig]:
    """A rig whose workers know `graphs` (name to ``module:attribute``); `spare` is for the next rig."""
    config = folder / "langgraph.json"
    config.write_text(json.dumps({"dependencies": [], "graphs": graphs}))
    aws.clock.now = now_ms()
    made = Rig(aws, config, _free=spare)
    yield made
    for each in made.workers:
        each.worker.host.loop.close()
        if not each.exits:
            spare.append(each._parts)
