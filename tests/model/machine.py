"""The state machine: everything that may happen to jobs, in any order, with faults and races in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.model.worker import ModelWorker
from tests.model.world import Trouble, World
from tests.support.backend import START, Backend, backend

MAX_ACTIVE = 2
MAX_WORKERS = 4

FAULT_KINDS = ("lost", "throttled", "internal", "reset")
RACES = ("reconcile", "deliver", "lapse", "beat")
ENDS = ("cancel", "settle")
"""Races that end the job: only where they are worth that."""

TROUBLES: list[Trouble] = [
    *((operation, kind) for operation in ("transact_write_items", "update_item") for kind in FAULT_KINDS),
    *((operation, kind) for operation in ("transact_write_items", "update_item") for kind in (*RACES, *ENDS)),
    *(("put_item", kind) for kind in ("lost", "lost", "throttled", "lapse", "reconcile")),
    *((operation, kind) for operation in ("get_item", "query") for kind in ("throttled", "lapse", "deliver")),
    *(("send_message", kind) for kind in ("lost", "throttled")),
    ("transact_write_items", "conflict"),
]

INDEX = st.integers(0, 7)
TROUBLE: st.SearchStrategy[list[tuple[str, str]]] = st.just([]) | st.lists(
    st.sampled_from(TROUBLES), min_size=1, max_size=2
)
TIMEOUT = st.sampled_from([300, 3600])
ACTIONS = st.integers(0, 18)

SETTINGS = settings(
    max_examples=int(os.environ.get("GRAPHJOBS_MODEL_EXAMPLES", "40")),
    stateful_step_count=40,
    deadline=None,
    derandomize="GRAPHJOBS_MODEL_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class JobMachine(RuleBasedStateMachine):
    """Jobs, workers, cancels, reconcilers and viewers on one backend, which `on_backend` gives."""

    aws: Backend

    def __init__(self) -> None:
        super().__init__()
        self._patches = ExitStack()
        self._patches.enter_context(patch("functions.worker.writer.backoff", lambda _: 0.0))
        # The reconciler's order comes from the ids: the same example must do the same again.
        ids = (f"job-{number:08x}-0000-4000-8000-000000000000" for number in count(1))
        self._patches.enter_context(patch("functions.create_job.service.new_job_id", lambda: next(ids)))
        self.aws.clock.now = START
        self.world = World(self.aws)

    def _job(self, index: int) -> str:
        jobs = [job.job_id for job in self.world.storage.jobs()]
        return jobs[index % len(jobs)]

    def _worker(self, index: int) -> ModelWorker:
        return self.world.workers[index % len(self.world.workers)]

    def _deliver_and_work(self, index: int, actions: int, *, duplicate: bool = False) -> None:
        before = len(self.world.workers)
        self.world.deliver(index, duplicate=duplicate)
        if len(self.world.workers) > before:
            self.world.work(self.world.workers[-1], actions, flush=actions % 3 > 0)

    def _has_room(self) -> bool:
        active = sum(not job.status.terminal for job in self.world.storage.jobs())
        return active < MAX_ACTIVE and len(self.world.workers) < MAX_WORKERS

    def _has_jobs(self) -> bool:
        return bool(self.world.storage.jobs())

    def _has_workers(self) -> bool:
        return bool(self.world.workers)

    def _has_messages(self) -> bool:
        return bool(self.world.memory.messages) and len(self.world.workers) < MAX_WORKERS

    @initialize(timeout=TIMEOUT, actions=ACTIONS)
    def a_running_job(self, timeout: int, actions: int) -> None:
        self.world.create(timeout)
        self._deliver_and_work(-1, actions)

    @precondition(_has_room)
    @rule(timeout=TIMEOUT, trouble=TROUBLE)
    def create(self, timeout: int, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self.world.create(timeout)

    @precondition(_has_room)
    @rule(timeout=TIMEOUT, actions=ACTIONS, trouble=TROUBLE)
    def create_and_run(self, timeout: int, actions: int, trouble: list[Trouble]) -> None:
        self.world.create(timeout)
        with self.world.trouble(trouble):
            self._deliver_and_work(-1, actions)

    @rule(index=INDEX, trouble=TROUBLE)
    def create_again(self, index: int, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self.world.submit(index % len(self.world.requests))

    @precondition(_has_messages)
    @rule(index=INDEX, duplicate=st.booleans(), actions=ACTIONS, trouble=TROUBLE)
    def deliver(self, index: int, duplicate: bool, actions: int, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self._deliver_and_work(index, actions, duplicate=duplicate)

    @precondition(lambda self: bool(self.world.memory.messages))
    @rule(index=INDEX, lost=st.integers(0, 3))
    def lose_message(self, index: int, lost: int) -> None:
        messages = self.world.memory.messages
        if lost == 0:
            messages.pop(index % len(messages))

    @precondition(_has_workers)
    @rule(index=INDEX, actions=ACTIONS, flush=st.booleans(), trouble=TROUBLE)
    def work(self, index: int, actions: int, flush: bool, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self.world.work(self._worker(index), actions, flush=flush)

    @precondition(lambda self: self._has_workers() and len(self.world.workers) < MAX_WORKERS)
    @rule(index=INDEX, actions=ACTIONS, crash=st.booleans(), trouble=TROUBLE)
    def take_over(self, index: int, actions: int, crash: bool, trouble: list[Trouble]) -> None:
        """A worker falls silent and its message comes back: it is gone, or wakes later as a zombie."""
        worker = self._worker(index)
        self.world.take_over(worker, crash=crash)
        with self.world.trouble(trouble):
            self._deliver_and_work(-1, actions)

    @precondition(_has_workers)
    @rule(index=INDEX, renew=st.booleans(), trouble=TROUBLE)
    def heartbeat(self, index: int, renew: bool, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self.world.beat(self._worker(index), renew=renew)

    @precondition(_has_workers)
    @rule(index=INDEX, trouble=TROUBLE)
    def finish(self, index: int, trouble: list[Trouble]) -> None:
        worker = self._worker(index)
        worker.work(99)
        with self.world.trouble(trouble):
            self.world.settle(worker)

    @precondition(_has_workers)
    @rule(index=INDEX, trouble=TROUBLE)
    def hand_off(self, index: int, trouble: list[Trouble]) -> None:
        worker = self._worker(index)
        worker.work_to_boundary()
        with self.world.trouble(trouble):
            self.world.settle(worker, drained=True)

    @precondition(_has_workers)
    @rule(index=INDEX, trouble=TROUBLE)
    def step_limit(self, index: int, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self.world.step_limit(self._worker(index))

    @precondition(_has_workers)
    @rule(index=INDEX)
    def crash(self, index: int) -> None:
        self.world.crash(self._worker(index))

    @precondition(_has_jobs)
    @rule(index=INDEX, trouble=TROUBLE)
    def cancel(self, index: int, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self.world.cancel(self._job(index))

    @rule(trouble=TROUBLE)
    def reconcile(self, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self.world.reconcile()

    @precondition(_has_jobs)
    @rule(index=INDEX, viewer=INDEX, cut=st.floats(0, 1), slots=st.integers(0, 5), trouble=TROUBLE)
    def view(self, index: int, viewer: int, cut: float, slots: int, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self.world.view(self._job(index), viewer, cut, slots)

    @rule(seconds=st.sampled_from([0.5, 5, 20]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule()
    def leases_lapse(self) -> None:
        self.world.advance(self.aws.settings.lease_seconds + 1)

    @precondition(_has_jobs)
    @rule(index=INDEX, early=st.integers(0, 7))
    def the_deadline_comes(self, index: int, early: int) -> None:
        job = self.world.storage.job(self._job(index))
        assert job is not None
        if early < 2:  # not often: it ends the job
            self.world.advance((job.deadline_at - early - self.aws.clock()) / 1000)

    @invariant()
    def all_holds(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.finish()
        finally:
            self._patches.close()


def on_backend() -> Iterator[type[JobMachine]]:
    """The machine on a backend of its own, for a fixture."""
    with backend() as aws:
        yield type("JobMachineOnMoto", (JobMachine,), {"aws": aws})
