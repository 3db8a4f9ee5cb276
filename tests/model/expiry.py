"""Time, and what it takes away: jobs and conversations of short retentions, DynamoDB's TTL, a reconciler that is out.

A machine of its own beside `machine`, which knows faults and races but not what comes after the end: here nothing fails
in the middle of a call, and hours pass between two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from graphjobs.api.job_request import JobRequest
from graphjobs.aws.cancel import JobGone, cancel
from graphjobs.aws.claims import Claim
from graphjobs.core.job import Job
from graphjobs.core.outcome import CHECKPOINT_GONE, failed
from graphjobs.core.run_request import RunRequest
from graphjobs.core.settings import Settings
from graphjobs.core.turns import MAX_WAITING
from graphjobs.http.problem import Problem
from graphjobs.worker.run_checkpoints import CheckpointLost
from graphjobs.worker.seed import NoSuchCheckpoint
from graphjobs.worker.worker import Worker
from tests.model.keeping import DAY, Keeping
from tests.model.runs import repeatable
from tests.model.worker import interrupt_id
from tests.model.working import Working

HOUR = 3_600
OWNER = "user-1"
THREAD = "000000a1-0000-4000-8000-000000000000"
MAX_JOBS = 9
MAX_WORKERS = 3

SETTINGS = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

INDEX = st.integers(0, 7)
ENDS = ("well", "well", "asks", "badly")
BODIES = (
    "graphjobs.aws.job_store.INLINE_BYTES",
    "graphjobs.core.slot.MAX_INLINE_BYTES",
    "graphjobs.aws.state_store.INLINE_BYTES",
    "graphjobs.aws.checkpoint_table.LARGE",
)
"""Sizes from which on a body is an object in S3."""


class ExpiryMachine(RuleBasedStateMachine):
    """Jobs of a conversation, and of a job that becomes one."""

    def __init__(self) -> None:
        super().__init__()
        self._patches = repeatable()
        self.workers: list[Working] = []
        self.outage = False
        self.threads = [THREAD]

    @initialize(
        days=st.sampled_from([(1, 1), (1, 3), (3, 1)]),
        longest=st.sampled_from([2, 48]),
        in_s3=st.booleans(),
        alone=st.booleans(),
        end=st.sampled_from(["", *ENDS]),
    )
    def deployed(self, days: tuple[int, int], longest: int, in_s3: bool, alone: bool, end: str) -> None:
        """And its first job, which says what the others will have to do with: a thread, or one that is made of it."""
        for name in BODIES if in_s3 else ():
            self._patches.enter_context(patch(name, 0))
        self.longest = longest
        self.keeping = Keeping(
            Settings(
                retention_seconds=days[0] * DAY,
                thread_retention_seconds=days[1] * DAY,
                max_timeout_seconds=longest * HOUR,
                default_timeout_seconds=HOUR,
            )
        )
        if alone:
            self.threads.clear()
        self.submit(0, "alone" if alone else "say", "enqueue", short=False, after=0, steps=1, end=end)

    def teardown(self) -> None:
        try:
            if hasattr(self, "keeping"):
                self._finish()
        finally:
            self._patches.close()

    # What may happen.

    @precondition(lambda self: len(self.keeping.accepted) < MAX_JOBS)
    @rule(
        index=INDEX,
        kind=st.sampled_from(["say", "say", "say", "alone", "answer", "fork"]),
        strategy=st.sampled_from(["enqueue", "enqueue", "enqueue", "reject", "interrupt", "rollback"]),
        short=st.booleans(),
        after=st.sampled_from([0, 0, 30, 168]),
        steps=st.integers(0, 2),
        end=st.sampled_from(["", *ENDS]),
    )
    def submit(self, index: int, kind: str, strategy: str, short: bool, after: int, steps: int, end: str) -> None:
        """A job, which often runs at once."""
        members: dict[str, Any] = {}
        thread_id = self.threads[index // 6] if self.threads[index // 6 :] else THREAD
        if kind != "alone":
            members |= {"thread_id": thread_id, "if_not_exists": "create", "multitask_strategy": strategy}
        saved = sorted(self.keeping.saved)
        if kind in ("answer", "fork") and saved:
            known = saved[-1 - index % len(saved)]
            more = {"command": {"resume": {interrupt_id(known): 1}}} if kind == "answer" else {"checkpoint_id": known}
            members |= more
        visible = self.keeping.visible(thread_id)
        job = self._submit(1 if short else self.longest, after, **members)
        if job is None:
            return
        visible |= self.keeping.visible(thread_id)
        assert members.get("checkpoint_id") in (None, *visible), "a fork from a checkpoint that is not to be seen"
        if kind == "alone" and len(self.threads) < 2:
            self.threads.append(job.thread)
        assert kind != "answer" or "command" not in members or job.start is not None, "an answer to nothing"
        if steps and self._claim(job.job_id):
            self._work(self.workers[-1], steps, end)

    @precondition(lambda self: len(self.workers) < MAX_WORKERS)
    @rule(index=INDEX, steps=st.integers(0, 2), end=st.sampled_from(["", *ENDS]))
    def claim(self, index: int, steps: int, end: str) -> None:
        jobs = self.keeping.rows()
        if jobs and self._claim(jobs[index % len(jobs)].job_id):
            self._work(self.workers[-1], steps, end)

    @precondition(lambda self: bool(self.workers))
    @rule(index=INDEX, steps=st.integers(0, 2), what=st.sampled_from([*ENDS, "crash", "sleep", "wake"]))
    def worker_acts(self, index: int, steps: int, what: str) -> None:
        worker = self.workers[index % len(self.workers)]
        if what in ("sleep", "wake"):
            worker.awake = what == "wake"
        self._work(worker, steps, what)

    @rule(index=INDEX, rollback=st.booleans())
    def cancel(self, index: int, rollback: bool) -> None:
        jobs = self.keeping.rows()
        if jobs:
            job, keeping = jobs[index % len(jobs)], self.keeping
            with suppress(JobGone):
                cancel(job, keeping.jobs, keeping.transitions, clock=keeping.clock, rollback=rollback)

    @rule(hours=st.sampled_from([1, 20, 30, 50, 160, 250]), outage=st.booleans())
    def hours_pass(self, hours: int, outage: bool) -> None:
        """With the reconciler, or without."""
        self.outage = outage
        self._until(self.keeping.clock() + hours * HOUR * 1000)

    @rule(index=INDEX, late=st.booleans(), outage=st.booleans())
    def until_something_expires(self, index: int, late: bool, outage: bool) -> None:
        """Until the last moment of an item, or the first without it."""
        self.outage = outage
        now = self.keeping.clock()
        ends = sorted({int(item["expires_at"]["N"]) * 1000 for item in self.keeping.items.all("jobs")})
        coming = [each for each in ends if each > now]
        if coming:
            self._until(coming[index % len(coming)] - (not late))

    @rule(number=st.integers(0, 99), share=st.sampled_from([0.5, 1.0]))
    def time_to_live(self, number: int, share: float) -> None:
        self.keeping.time_to_live(number, share)

    # How.

    def _submit(self, hours: int, after_hours: int, **members: Any) -> Job | None:
        if after_hours:
            members["after_seconds"] = after_hours * HOUR
        request = JobRequest.model_validate({"query": "hello", "timeout_seconds": hours * HOUR, **members})
        try:
            job, _ = self.keeping.submission.submit(OWNER, request, None)
        except Problem as problem:
            assert problem.status in (404, 409), problem
            return None
        self.keeping.accepted[job.job_id] = job
        return job

    def _claim(self, job_id: str) -> bool:
        """Whether a worker runs the job now."""
        keeping = self.keeping
        claim = keeping.claims.claim(job_id, model="offline")
        if not isinstance(claim, Claim):
            return False
        body = keeping.jobs.input(job_id)
        assert body is not None, "the input of a job that may run is gone"
        stores: Any = type("Stores", (), {"stores": keeping})
        if Worker._forks_from_nothing(stores, claim, RunRequest.from_json(body)):
            keeping.claims.finish(claim, failed(CHECKPOINT_GONE), claim.tail)
            return False
        try:
            self.workers.append(Working(keeping, claim))
        except (NoSuchCheckpoint, CheckpointLost):
            raise AssertionError("a job begins where nothing is stored any more") from None
        return True

    def _work(self, worker: Working, steps: int, end: str) -> None:
        for _ in range(steps):
            worker.step()
        if end in ENDS:
            worker.finish(end)
        if end in (*ENDS, "crash") or worker.lost:
            self.workers.remove(worker)

    def _until(self, until: int) -> None:
        """Workers that are awake go on; the reconciler, if it runs, comes by at each deadline and after each lease."""
        clock = self.keeping.clock
        while clock() < until:
            clock.now = min((each for each in self._looks() if each > clock()), default=until)
            clock.now = min(clock(), until)
            for worker in [each for each in self.workers if each.awake]:
                worker.beat()
                if worker.lost:
                    self.workers.remove(worker)
            if not self.outage:
                self.keeping.reconciler.run()

    def _looks(self) -> Iterator[int]:
        for job in self.keeping.rows():
            if not job.status.terminal:
                overdue = job.past_deadline(self.keeping.clock())
                yield from (job.due_at if overdue else job.deadline_at, job.lease_until + HOUR * 1000)

    @invariant()
    def all_is_there(self) -> None:
        if hasattr(self, "keeping"):
            self.keeping.check()

    def _finish(self) -> None:
        """All workers are lost and the reconciler is back: each thread can be gone on with, and at last all is gone."""
        self.workers.clear()
        self.outage = False
        self._until(self.keeping.clock() + HOUR * 1000)
        for thread_id in self.threads:
            self._gets_its_turn(thread_id)
        self.keeping.check()
        self._until(self.keeping.clock() + self.keeping.longest_life * 1000)
        self.keeping.time_to_live(0, 1.0)
        assert not (left := self.keeping.left()), f"something lives for ever: {left}"

    def _gets_its_turn(self, thread_id: str) -> None:
        job = self._submit(1, 0, thread_id=thread_id, if_not_exists="create")
        for _ in range(MAX_WAITING + 2):
            row = self.keeping.jobs.get(job.job_id) if job is not None else None
            if row is None or row.status.terminal:
                return
            thread = self.keeping.thread(thread_id)
            assert thread is not None
            first = self.keeping.jobs.get(str(thread.turn))
            assert first is not None, "the turn is one's that is gone, and the next waits for it"
            self._until(max(self.keeping.clock(), first.not_before or 0, first.lease_until))
            if self._claim(first.job_id):
                self._work(self.workers[-1], 1, "well")
        raise AssertionError("a job waits for good")
