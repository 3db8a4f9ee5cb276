"""The state machine: everything that may happen to jobs, in any order, with faults and races in between."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.model.forks import ForkRules
from tests.model.runs import repeatable
from tests.model.trouble import TROUBLES, Trouble
from tests.model.worker import ModelWorker
from tests.model.world import THREADS, World

MAX_JOBS = 9
MAX_ACTIVE = 4
MAX_WORKERS = 4

INDEX = st.integers(0, 7)
TROUBLE: st.SearchStrategy[list[Trouble]] = st.just([]) | st.lists(st.sampled_from(TROUBLES), min_size=1, max_size=2)
ENDS_MEANWHILE = st.just([("write", "settle")])
TIMEOUT = st.sampled_from([300, 3600])
ACTIONS = st.integers(0, 18)
LATEST_TURN = 30

SETTINGS = settings(
    max_examples=int(os.environ.get("GRAPHJOBS_MODEL_EXAMPLES", "40")),
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


ACTS = ("work", "work", "beat", "hand off", "finish", "step limit", "crash")
ZOMBIE_ACTS = ("work", "beat", "hand off", "finish", "step limit")
FLUSHES = ("later", "at the end", "each")
"""When the writer gets to put what the graph produces."""

FATES = ("crash", "sleep", *ZOMBIE_ACTS)


def later(units: int) -> dict[str, Any]:
    """The member of a request that is for later, by so many units of 5 seconds; none if there are none."""
    return {"after_seconds": units * 5} if units > 0 else {}


class JobMachine(ForkRules):
    """Jobs, workers, cancels, reconcilers and viewers on one backend."""

    @staticmethod
    def client(tables: Any) -> Any:
        """The DynamoDB client over `tables`: for who wants to hear of each call."""
        return tables

    def __init__(self) -> None:
        super().__init__()
        self._patches = repeatable()
        self.world = World(self.client)

    @initialize(timeout=TIMEOUT, actions=ACTIONS, conversation=st.booleans())
    def a_running_job(self, timeout: int, actions: int, conversation: bool) -> None:
        if conversation:
            self._take_turn(THREADS[0], "ask", "enqueue", timeout, 99)
        else:
            self.world.create(timeout)
            self._deliver_and_work(-1, actions)

    @precondition(lambda self: self._has_room())
    @rule(timeout=TIMEOUT, run=st.booleans(), actions=ACTIONS, trouble=TROUBLE)
    def create(self, timeout: int, run: bool, actions: int, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            # One that is not run at once may be one for later.
            self.world.create(timeout, **later(0 if run else actions - 9))
            if run:
                self._deliver_and_work(-1, actions)

    @precondition(lambda self: self._has_room())
    @rule(
        index=INDEX,
        kind=st.sampled_from(["say", "ask", "answer", "answer"]),
        strategy=st.sampled_from(["enqueue", "enqueue", "reject", "interrupt", "rollback"]),
        timeout=TIMEOUT,
        actions=st.integers(0, 99),
        trouble=TROUBLE | ENDS_MEANWHILE,
    )
    def turn(self, index: int, kind: str, strategy: str, timeout: int, actions: int, trouble: list[Trouble]) -> None:
        """The next job of a thread, which often runs to its end at once; some are for later."""
        delayed = later(actions - 18) if actions <= LATEST_TURN else {}
        with self.world.trouble(trouble):
            self._take_turn(THREADS[index // 6], kind, strategy, timeout, actions, **delayed)

    @precondition(lambda self: self._has_room() and bool(self.world.storage.threads()))
    @rule(kind=st.sampled_from(["say", "answer", "answer"]), rollback=st.booleans(), actions=st.integers(0, 99))
    def answer_and_think_better_of_it(self, kind: str, rollback: bool, actions: int) -> None:
        """A turn that is taken back, or only stopped, while it runs."""
        jobs = {job.job_id for job in self.world.storage.jobs()}
        self._take_turn(THREADS[0], kind, "enqueue", 3600, min(actions, 18))
        for job in self.world.storage.jobs():
            if job.job_id not in jobs:
                self.world.cancel(job.job_id, rollback=rollback)

    @precondition(lambda self: bool(self.world.memory.messages) and self._has_hands())
    @rule(index=INDEX, how=st.sampled_from(["once", "twice", "lost"]), actions=ACTIONS, trouble=TROUBLE)
    def deliver(self, index: int, how: str, actions: int, trouble: list[Trouble]) -> None:
        messages = self.world.memory.messages
        if how == "lost":
            messages.pop(index % len(messages))
            return
        with self.world.trouble(trouble):
            self._deliver_and_work(index, actions, duplicate=how == "twice")

    @precondition(lambda self: bool(self.world.workers))
    @rule(index=INDEX, act=st.sampled_from(ACTS), actions=ACTIONS, trouble=TROUBLE)
    def worker_acts(self, index: int, act: str, actions: int, trouble: list[Trouble]) -> None:
        self._act(self.world.workers[index % len(self.world.workers)], act, actions, trouble)

    @precondition(lambda self: bool(self.world.workers) and self._has_hands())
    @rule(index=INDEX, fate=st.sampled_from(FATES), actions=ACTIONS, trouble=TROUBLE)
    def take_over(self, index: int, fate: str, actions: int, trouble: list[Trouble]) -> None:
        """A worker falls silent and its message comes back: it is gone, or wakes later, or at once, as a zombie."""
        worker = self.world.workers[index % len(self.world.workers)]
        self.world.take_over(worker, crash=fate == "crash")
        with self.world.trouble(trouble):
            self._deliver_and_work(-1, actions)
        if worker in self.world.workers:
            self._act(worker, fate, actions, [])

    @precondition(lambda self: bool(self.world.zombies()))
    @rule(index=INDEX, act=st.sampled_from(ZOMBIE_ACTS), actions=ACTIONS, trouble=TROUBLE)
    def zombie_wakes(self, index: int, act: str, actions: int, trouble: list[Trouble]) -> None:
        zombies = self.world.zombies()
        self._act(zombies[index % len(zombies)], act, actions, trouble)

    @rule(index=INDEX, rollback=st.booleans(), trouble=TROUBLE | ENDS_MEANWHILE)
    def cancel(self, index: int, rollback: bool, trouble: list[Trouble]) -> None:
        jobs = self.world.storage.jobs()
        # Those that run are more worth it.
        held = [job for job in jobs if job.lease_until > self.world.clock()] or jobs
        with self.world.trouble(trouble):
            self.world.cancel(held[index % len(held)].job_id, rollback=rollback)

    @rule(index=INDEX, again=st.integers(0, 3), slots=st.integers(0, 5), cut=st.floats(0, 1), trouble=TROUBLE)
    def view(self, index: int, again: int, slots: int, cut: float, trouble: list[Trouble]) -> None:
        """A client follows a job, or has lost the answer of its submission and sends that again."""
        jobs = self.world.storage.jobs()
        with self.world.trouble(trouble):
            if again == 0:
                self.world.submit(index % len(self.world.requests))
            else:
                self.world.view(jobs[index % len(jobs)].job_id, again, cut, slots)

    @rule(trouble=TROUBLE)
    def reconcile(self, trouble: list[Trouble]) -> None:
        with self.world.trouble(trouble):
            self.world.reconcile()

    @rule(seconds=st.sampled_from([0.5, 15, 30, 45, 46, None]), index=INDEX)
    def time_passes(self, seconds: float | None, index: int) -> None:
        """A while; or until a deadline, or a millisecond before it, but not often, since that is the end."""
        jobs = self.world.storage.jobs()
        if seconds is None and index < 4:
            seconds = (jobs[index // 2 % len(jobs)].deadline_at - index % 2 - self.world.clock()) / 1000
        self.world.advance(seconds or 1)

    def _take_turn(self, thread_id: str, kind: str, strategy: str, timeout: int, actions: int, **members: Any) -> None:
        self.world.create_turn(thread_id, kind, strategy, timeout, **members)
        before = len(self.world.workers)
        self._deliver_and_work(-1, min(actions, 18))
        if actions > 40 and len(self.world.workers) > before:
            self.world.workers[-1].work(99)
            self.world.settle(self.world.workers[-1])

    def _has_hands(self) -> bool:
        return len(self.world.workers) < MAX_WORKERS

    def _has_room(self) -> bool:
        jobs = self.world.storage.jobs()
        active = sum(not job.status.terminal for job in jobs)
        return len(jobs) < MAX_JOBS and active < MAX_ACTIVE and self._has_hands()

    def _deliver_and_work(self, index: int, actions: int, *, duplicate: bool = False) -> None:
        before = len(self.world.workers)
        self.world.deliver(index, duplicate=duplicate)
        if len(self.world.workers) > before:
            self.world.work(self.world.workers[-1], actions, FLUSHES[actions % 3])

    def _act(self, worker: ModelWorker, act: str, actions: int, trouble: list[Trouble]) -> None:
        if act == "hand off":
            self.world.work_to_boundary(worker, FLUSHES[actions % 3])
        elif act == "finish":
            worker.work(99)
        with self.world.trouble(trouble):
            match act:
                case "work":
                    self.world.work(worker, actions, FLUSHES[actions % 3])
                case "beat":
                    self.world.beat(worker, renew=actions % 3 > 0)
                case "hand off" | "finish":
                    self.world.settle(worker, drained=act == "hand off")
                    if act == "hand off" and actions % 2:
                        self._deliver_and_work(-1, actions)
                case "step limit":
                    self.world.step_limit(worker)
                case "crash":
                    self.world.crash(worker)

    @invariant()
    def all_holds(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.finish()
        finally:
            self._patches.close()
