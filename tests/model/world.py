"""The world of one example: the real code over tables, queue and clock under control, and faults in between."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.api.job_request import JobRequest
from graphjobs.api.joining import Joining
from graphjobs.api.submission import Submission
from graphjobs.aws.cancel import JobGone, cancel
from graphjobs.aws.claims import Claim, Claims
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.erasure import Erasure
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.aws.transition import Contended
from graphjobs.core.change import Refusal
from graphjobs.core.job import Job, Release
from graphjobs.core.run_request import RunRequest
from graphjobs.core.settings import Settings
from graphjobs.http.problem import Problem
from graphjobs.reconcile.service import Reconciler, Stores
from graphjobs.testing import FakeClock, MemoryQueue
from graphjobs.worker.heartbeat import Stop
from tests.model.conversation import Judge
from tests.model.forks import Forks, answer_to
from tests.model.history import judge
from tests.model.trouble import Trouble, arm
from tests.model.viewer import Viewer
from tests.model.witness import Actor, Storage, Witness
from tests.model.worker import Checkpoints, ModelWorker
from tests.support.backend import transitions_of
from tests.support.faults import Faults
from tests.support.tables import MemoryBucket, MemoryTables

PERIOD_MS = 60_000
OWNER = "user-1"
THREADS = tuple(f"{number:08x}-0000-4000-8000-000000000000" for number in (0xA1, 0xA2))
GIVEN_UP = (ClientError, BotoCoreError, Contended, JobGone)
"""What a caller of ours is told when the backend fails."""


class Quiet:
    """A logger that says nothing, sooner than a mock would."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


class World:
    """Everything that can be done to the jobs of one example."""

    def __init__(self, client: Callable[[Any], Any]) -> None:
        """`client` may wrap the tables."""
        self.settings = Settings()
        self.clock = FakeClock()
        tables, self.bucket = MemoryTables(), cast(Any, MemoryBucket(self.clock))
        self.storage = Storage(tables)
        self.witness = Witness(client(tables), self.storage, self.clock)
        self.faults = Faults(self.witness)
        self.memory = MemoryQueue()
        self.sqs = Faults(self.memory)
        self.logger: Any = Quiet()
        self.checkpoints = Checkpoints()
        self.values = itertools.count(1)
        self.jobs = JobStore(self.faults.client, "jobs")
        self.log = DynamoEventLog(self.faults.client, "events", PayloadStore(self.bucket, "payloads"))
        self.queue = JobQueue(self.sqs.client, "queue")
        self.threads = ThreadStore(self.faults.client, "jobs", self.settings.thread_retention_seconds)
        self.transitions = transitions_of(self.faults.client, self.jobs, self.log, self.clock, self.queue.announce)
        self.forks = Forks(self)
        history = self.forks.history
        self.joining = Joining(self.jobs, self.threads, self.log, self.transitions, history, self.clock)
        self.claims = Claims(self.jobs, self.transitions, self.settings, clock=self.clock)
        self.submission = Submission(self.jobs, self.queue, self.settings, self.joining, self.clock)
        erasure = Erasure(self.faults.client, self.bucket, self.threads, self.forks.states, self.settings)
        stores = Stores(self.jobs, self.transitions, self.queue, self.threads, erasure)
        self.reconciler = Reconciler(stores, self.settings, self.logger, self.clock)  # type: ignore[arg-type]
        self.witness.judge = self.conversations = Judge(self)
        self.requests: list[tuple[str, JobRequest]] = []
        self.workers: list[ModelWorker] = []
        self.viewers: dict[str, list[Viewer]] = {}
        self.next_pass = self.clock() + PERIOD_MS
        self._keys = itertools.count(1)
        self._wrong: list[str] = []
        self._judged: dict[str, tuple[Job, int]] = {}
        self._begins: dict[str, int] = {}
        self.asked: tuple[str, ...] = ()
        """Questions that were answered, to be answered again."""

    # What clients do.

    def create(self, timeout: int, **members: Any) -> None:
        request = JobRequest.model_validate({"query": "hello", "timeout_seconds": timeout, **members})
        key = f"k{next(self._keys)}"
        self.requests.append((key, request))
        self.submit(len(self.requests) - 1)

    def create_turn(self, thread_id: str, kind: str, strategy: str, timeout: int, **more: Any) -> None:
        """The next job of a thread: it says something, asks, or answers; its message may come before its turn."""
        members: dict[str, Any] = {"thread_id": thread_id, "multitask_strategy": strategy, "if_not_exists": "create"}
        members |= more
        if kind == "ask":
            members["metadata"] = {"ask": True}
        elif kind == "answer":
            thread = self.storage.thread(thread_id)
            asked = (thread.interrupts if thread else ()) or self.asked[-1:]
            if "checkpoint_id" in more:
                asked = answer_to(more["checkpoint_id"])
            if asked:
                members["command"] = {"resume": {asked[0]: next(self.values)}}
                self.asked += asked[:1]
        before = {job.job_id for job in self.storage.jobs()}
        self.create(timeout, **members)
        for job in self.storage.jobs():
            if job.waiting and job.job_id not in before:
                self.queue.announce(job.job_id, OWNER)

    def _check_answer(self, job: Job) -> None:
        """The answer that the graph was given is the job's own."""
        request = self.request_of(job.job_id)
        if request is None or request.command is None:
            return
        (own,) = request.command["resume"].values()
        given = {
            event.parse().data.get("answer", own)
            for slot in self.storage.log(job.job_id)
            for event in slot.events()
            if event.type == "update"
        }
        assert given <= {own}, "a job was given the answer of another"

    def request_of(self, job_id: str) -> RunRequest | None:
        """What a job was created with."""
        found = self.storage.item("jobs", {"pk": {"S": f"input#{job_id}"}})
        return RunRequest.from_json(found["Item"]["body"]["S"]) if found else None

    def submit(self, index: int) -> None:
        """The same request once more finds the same job, whatever became of the earlier try."""
        key, request = self.requests[index]
        before = {job.job_id for job in self.storage.jobs()}
        self.forks.looks()
        try:
            job, new = self.submission.submit(OWNER, request, key)
        except GIVEN_UP:
            return
        except Problem as problem:
            self._wrong += self.forks.refused(request, problem)
            return
        if new and job.job_id in before:
            self._wrong.append("an old job was called new")
        if not new and job.job_id not in before:
            self._wrong.append("a new job was called old")

    def cancel(self, job_id: str, *, rollback: bool = False) -> None:
        job = self.storage.job(job_id)
        if job is None:
            return
        with self.witness.acting(Actor("cancel", job_id)):
            try:
                after = cancel(job, self.jobs, self.transitions, clock=self.clock, rollback=rollback)
            except GIVEN_UP:
                return
        if job.status.terminal and after != job:
            self._wrong.append("cancel changed a terminal job")

    def view(self, job_id: str, viewer: int, cut: float, slots: int) -> None:
        viewers = self.viewers.setdefault(job_id, [Viewer(self, job_id) for _ in range(2)])
        with suppress(ClientError, BotoCoreError):  # the stream closes, the client resumes
            viewers[viewer % 2].read(cut, slots)

    # What workers do.

    def deliver(self, index: int, *, duplicate: bool = False) -> None:
        """Hand a message to a worker, which acknowledges it or runs the job."""
        if not self.memory.messages:
            return
        message = self.memory.messages[index % len(self.memory.messages)]
        if not duplicate:
            self.memory.messages.remove(message)
        actor = Actor("claim", message.job_id)
        with self.witness.acting(actor):
            try:
                claim = self.claims.claim(message.job_id, model="offline")
                if isinstance(claim, Claim) and self.forks.from_nothing(claim):
                    return
            except GIVEN_UP:
                self.memory.messages.append(message)
                return
        row = self.storage.job(message.job_id)
        if isinstance(claim, Claim):
            start = claim.job.start
            self._begins[claim.job.job_id] = self.checkpoints.state(start).value if start else 0
            self.workers.append(ModelWorker(self, claim, message))
        elif claim in (Refusal.HELD, Refusal.TERMINAL) and row and actor.claimed == row.epoch:
            self._wrong.append(f"a claim that was committed was refused: {claim}")

    def work(self, worker: ModelWorker, actions: int, flush: str) -> None:
        """The graph does so much, and the writer keeps up with it, or comes after, or does not come yet."""
        if flush == "each":
            for _ in range(actions):
                worker.work(1)
                self._flush(worker)
            return
        worker.work(actions)
        if flush != "later":
            self._flush(worker)

    def work_to_boundary(self, worker: ModelWorker, flush: str) -> None:
        """Finish the step that the graph is in."""
        while not worker.at_boundary and worker.outcome is None and not worker.stopped:
            self.work(worker, 1, flush)

    def _flush(self, worker: ModelWorker) -> None:
        with self.witness.acting(worker.actor):
            worker.writer.flush()
        self._check_fenced(worker)

    def beat(self, worker: ModelWorker, *, renew: bool) -> None:
        with self.witness.acting(worker.actor):
            stop = worker.beat(renew=renew)
        if stop is Stop.FENCED:
            self._check_fenced(worker)

    def settle(self, worker: ModelWorker, *, drained: bool = False) -> None:
        """The run ends: finished, stopped, or (only at a step boundary) handed off."""
        if worker.outcome is None and not worker.stopped and not (drained and worker.at_boundary):
            return
        drained = drained and worker.outcome is None and not worker.stopped
        with self.witness.acting(worker.actor):
            ended = worker.settle(drained=drained)
        if ended is None:
            self.crash(worker)
            return
        self._forget(worker)
        self._check_fenced(worker, ended.stop)
        if ended.release is Release.HANDOFF and not drained:
            self._wrong.append("a hand-off that nobody asked for")

    def step_limit(self, worker: ModelWorker) -> None:
        """A step outlives the function."""
        worker.run.stop(Stop.STEP_LIMIT)
        self.settle(worker)

    def take_over(self, worker: ModelWorker, *, crash: bool) -> None:
        """The lease lapses and the message is back; the process is gone, or only asleep."""
        if crash:
            self.crash(worker)
        else:
            self.memory.messages.append(worker.message)
        job = self.storage.job(worker.claim.job.job_id)
        if job is not None and not job.status.terminal:
            self.clock.now = max(self.clock(), job.lease_until)

    def crash(self, worker: ModelWorker) -> None:
        """The process is gone; its message comes back at some time."""
        self._forget(worker)
        self.memory.messages.append(worker.message)

    def zombies(self) -> list[ModelWorker]:
        """Workers that still run although their job has another owner, or has ended."""
        rows = {job.job_id: job for job in self.storage.jobs()}
        owned = [(worker, worker.claim.job, rows[worker.claim.job.job_id]) for worker in self.workers]
        return [worker for worker, job, row in owned if row.epoch != job.epoch or row.status.terminal]

    def _forget(self, worker: ModelWorker) -> None:
        if worker in self.workers:
            self.workers.remove(worker)

    def _check_fenced(self, worker: ModelWorker, stop: Stop | None = None) -> None:
        """Only who has lost the job may believe so."""
        if worker.broken is not None:
            raise worker.broken
        if (stop or worker.run.stopped) is not Stop.FENCED:
            return
        row = self.storage.job(worker.claim.job.job_id)
        if row and (worker.actor.ended or (row.epoch == worker.claim.job.epoch and not row.status.terminal)):
            self._wrong.append(f"worker {worker.claim.job.epoch} was fenced by itself")

    def _check_tail(self, worker: ModelWorker) -> None:
        """What a writer takes for written is written, and by itself."""
        tail = worker.writer.buffer.tail
        if tail not in self.storage.log(tail.job_id):
            self._wrong.append(f"worker {worker.claim.job.epoch} believes in a slot that is not in the log")

    # What time does.

    def reconcile(self) -> None:
        with self.witness.acting(Actor("reconciler")):
            self.reconciler.run()

    def advance(self, seconds: float) -> None:
        """Time passes, and the scheduled passes come with it; one with nothing due is left out."""
        until = self.clock() + int(seconds * 1000)
        while self.next_pass <= until:
            self.clock.now = max(self.clock(), self.next_pass)
            if any(not job.status.terminal and job.due_at <= self.clock() for job in self.storage.jobs()):
                self.reconcile()
            self.next_pass += PERIOD_MS
        self.clock.now = max(self.clock(), until)

    @contextmanager
    def trouble(self, troubles: list[Trouble]) -> Iterator[None]:
        """What goes wrong during one rule."""
        for trouble in troubles:
            where, kind = trouble
            arm(self.sqs if where == "send" else self.faults, trouble, self._race(kind))
        try:
            yield
        finally:
            self.faults._faults.clear()
            self.sqs._faults.clear()

    def _race(self, what: str) -> Callable[[], None]:
        def race() -> None:
            with self.witness.acting(Actor("racing")):
                for job in self.storage.jobs():
                    self._act(what, job)

        return race

    def _act(self, what: str, job: Job) -> None:
        # Not the worker that is being raced: its own threads wait for one another.
        busy = self.witness.actors
        holders = [w for w in self.workers if w.claim.job.job_id == job.job_id and w.actor not in busy]
        match what:
            case "cancel":
                self.cancel(job.job_id)
            case "reconcile":
                self.reconcile()
            case "deliver":
                self.deliver(0, duplicate=True)
            case "lapse":
                self.clock.now = max(self.clock(), job.lease_until)
            case "beat":
                for worker in holders:
                    self.beat(worker, renew=True)
            case "settle":
                for worker in holders:
                    worker.work(99)
                    self.settle(worker)

    # What must hold.

    def check(self) -> None:
        for worker in self.workers:
            self._check_tail(worker)
        assert not self.witness.violations, self.witness.violations
        assert not self._wrong, self._wrong
        assert not (wrong := self.conversations.at_rest() + self.forks.at_rest()), wrong
        for job in self.storage.jobs():
            log = self.storage.log(job.job_id)
            if self._judged.get(job.job_id) != (job, len(log)):
                judge(job, log, self.settings, self._begins.get(job.job_id, 0))
                self._check_answer(job)
                self._judged[job.job_id] = (job, len(log))
            assert job.status.terminal or self.clock() <= job.deadline_at + 2 * PERIOD_MS, "not ended in time"

    def finish(self) -> None:
        """All workers are lost; what is left must end, and every viewer gets the whole log."""
        self.workers.clear()
        for job in self.storage.jobs():
            self.advance((job.deadline_at + 2 * PERIOD_MS - self.clock()) / 1000)
        self.check()
        for job in self.storage.jobs():
            assert job.status.terminal, job
            for viewer in (*self.viewers.get(job.job_id, []), Viewer(self, job.job_id)):
                viewer.read_to_the_end()
        self.reconcile()
        self.check()
        assert not (wrong := self.forks.readable()), wrong
        assert all(thread.turn is None for thread in self.storage.threads()), "a thread is left with a turn"
