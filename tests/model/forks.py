"""Forks: jobs that begin at an older checkpoint of a thread, and which states of a thread can be seen after them.

A checkpoint of the model knows the *line* that led to it. What can be seen is the lines of all heads that the thread
has had, and that of the running job's mark: counted here from the heads themselves, not from rows or records.
"""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from graphjobs.api.job_request import JobRequest
from graphjobs.aws.claims import Claim
from graphjobs.aws.state_store import StateStore
from graphjobs.aws.thread_history import ThreadHistory
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import Job
from graphjobs.core.outcome import CHECKPOINT_GONE, failed
from graphjobs.core.run_request import RunRequest
from graphjobs.core.thread import Position, Thread
from graphjobs.http.problem import Problem
from graphjobs.worker.worker import Worker
from tests.model.trouble import TROUBLES, Trouble
from tests.model.witness import Actor
from tests.model.worker import interrupt_id
from tests.support.tables import MemoryTables

if TYPE_CHECKING:
    from tests.model.world import World


class Forks:
    """Judges where jobs begin, and what can be seen of threads, by the real store and the real history."""

    def __init__(self, world: World) -> None:
        retention = world.settings.thread_retention_seconds
        tables: Any = MemoryTables()  # of their own: what goes wrong with them is `expiry`'s
        self.states = StateStore(tables, "checkpoints", lambda: world.bucket, "payloads", retention)
        self.history = ThreadHistory(world.jobs, world.log, self.states)
        self._world = world
        self._heads: dict[str, set[Position]] = defaultdict(set)
        self._at_submission: dict[str, set[str]] = {}
        self._judged: dict[str, Any] = {}

    # What is expected.

    def moved(self, after: Thread) -> None:
        """The row of a thread was written."""
        if after.head is None:
            self._heads.pop(after.thread_id, None)  # a thread that begins anew
        else:
            self._heads[after.thread_id].add(after.head)

    def visible(self, thread: Thread) -> set[str]:
        """Checkpoints that can be seen: on the lines of all its heads, and on that of the running job's mark."""
        state = self._world.checkpoints.state
        tips = self._heads[thread.thread_id] | self._marks(thread.turn)
        return {checkpoint_id for tip in tips for checkpoint_id in state(tip).line}

    def _marks(self, job_id: str | None) -> set[Position]:
        job = self._world.storage.job(job_id) if job_id else None
        if job is None or job.rollback:
            return set()
        log = self._world.storage.log(job.job_id)
        marks = (job.mark, log[-1].mark if log else None)  # of one line: the longer one holds the other
        return {Position(mark.thread, mark.checkpoint_id) for mark in marks if mark}

    def hidden(self, thread: Thread) -> list[str]:
        """What jobs of the thread have saved that cannot be seen: not confirmed, rolled back, or of a fenced worker."""
        jobs = {job.job_id for job in self._world.storage.jobs() if job.thread_id == thread.thread_id}
        visible = self.visible(thread)
        origins = self._world.checkpoints.origins
        found = [each for each, job_id in origins.items() if job_id in jobs and each not in visible]
        stored = {position.checkpoint_id for position in self.states.notes(thread.thread_id)}
        return [each for each in found if each in stored] or found  # those with a record are the more tempting

    # What is asked for.

    def candidates(self, thread: Thread, kind: str, *, hidden: bool) -> list[str]:
        """Checkpoints to begin at; for an answer those that have asked, if there are any."""
        found = self.hidden(thread) if hidden else sorted(self.visible(thread))
        asked = [each for each in found if each in self._world.checkpoints.questions]
        return asked if kind == "answer" and asked else found

    def looks(self) -> None:
        """A job is submitted: it may begin at what can be seen now, or then."""
        self._at_submission = {thread.thread_id: self.visible(thread) for thread in self._world.storage.threads()}

    def accepted(self, before: Thread | None, job_id: str) -> list[str]:
        """What is wrong with where a job that was just created is to begin."""
        asked = self._asked(job_id)
        if asked is None:
            return []
        seen = self._at_submission.get(before.thread_id, set()) | self.visible(before) if before else set()
        return [] if asked in seen else ["a fork from a checkpoint that cannot be seen was accepted"]

    def refused(self, request: JobRequest, problem: Problem) -> list[str]:
        """What is wrong with a refusal."""
        seen = self._at_submission.get(str(request.thread_id), set())
        wrong = problem.code == "checkpoint_not_found" and request.checkpoint_id in seen
        return ["a fork from a checkpoint that can be seen was refused"] if wrong else []

    # What happens.

    def from_nothing(self, claim: Claim) -> bool:
        """End a job that was to begin at what was rolled back while it waited, as the worker does; whether it was."""
        stores: Any = SimpleNamespace(stores=SimpleNamespace(jobs=self._world.jobs))
        request = self._world.request_of(claim.job.job_id) or RunRequest()
        if not Worker._forks_from_nothing(stores, claim, request):
            return False
        job = claim.job
        with self._world.witness.acting(Actor(f"worker {job.epoch}", job.job_id, job.epoch)), suppress(Fenced):
            self._world.claims.finish(claim, failed(CHECKPOINT_GONE), claim.tail)
        return True

    # What must hold.

    def begins_well(self, job: Job, head: Position | None) -> bool:
        """Whether a job begins at the checkpoint that it has named, or else at the head."""
        asked = self._asked(job.job_id)
        return job.start == head if asked is None else job.start is not None and job.start.checkpoint_id == asked

    def taken_back(self, head: Position) -> bool:
        """Whether a head comes from what a job has saved that was rolled back."""
        origins, line = self._world.checkpoints.origins, self._world.checkpoints.state(head).line
        jobs = (self._world.storage.job(job_id) for job_id in {origins[each] for each in line})
        return any(job is not None and job.rollback for job in jobs)

    def at_rest(self) -> list[str]:
        """What is wrong with the states that can be seen between two writes."""
        found = []
        for thread in self._world.storage.threads():
            job = self._world.storage.job(thread.turn) if thread.turn else None
            if job and not self.begins_well(job, thread.head):
                found.append("a job does not begin where it should")
            expected = sorted(self.visible(thread), reverse=True)
            now = thread, job and (job.epoch, job.rollback), expected
            if self._judged.get(thread.thread_id) != now:
                self._judged[thread.thread_id] = now
                seen = [note.position.checkpoint_id for note in self.history.notes(thread)]
                if seen != expected:
                    found.append(f"{seen} can be seen of a thread, not {expected}")
        return found

    def readable(self) -> list[str]:
        """What is wrong with the states that can be seen, each read whole."""
        found = []
        for thread in self._world.storage.threads():
            for record in self.history.records(thread, self.history.notes(thread)):
                path = list(self._world.checkpoints.state(record.note.position).path)
                if json.loads(record.body)["values"] != {"path": path}:
                    found.append(f"the state at {record.note.position} is not what was saved there")
        return found

    def _asked(self, job_id: str) -> str | None:
        request = self._world.request_of(job_id)
        return request.checkpoint_id if request else None


class ForkRules(RuleBasedStateMachine):
    """Jobs that begin at an older checkpoint, or at one that they may not begin at."""

    world: World
    _take_turn: Any
    _has_room: Any

    @precondition(lambda self: self._has_room() and any(thread.head for thread in self.world.storage.threads()))
    @rule(
        index=st.integers(0, 7),
        which=st.integers(0, 31),
        hidden=st.sampled_from([False, False, True]),
        kind=st.sampled_from(["say", "ask", "answer"]),
        strategy=st.sampled_from(["enqueue", "enqueue", "interrupt", "rollback"]),
        actions=st.integers(0, 99),
        trouble=st.just([]) | st.lists(st.sampled_from(TROUBLES), min_size=1, max_size=2),
    )
    def fork(
        self, index: int, which: int, hidden: bool, kind: str, strategy: str, actions: int, trouble: list[Trouble]
    ) -> None:
        threads = self.world.storage.threads()
        thread = threads[index % len(threads)]
        found = self.world.forks.candidates(thread, kind, hidden=hidden)
        if not found:
            return
        checkpoint_id = found[which % len(found)]
        with self.world.trouble(trouble):
            self._take_turn(thread.thread_id, kind, strategy, 3600, actions, checkpoint_id=checkpoint_id)


def answer_to(checkpoint_id: str) -> tuple[str, ...]:
    """The questions that an answer at a fork is for, asked there or not."""
    return (interrupt_id(checkpoint_id),)
