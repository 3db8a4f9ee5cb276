"""Turns of a conversation on a rig: submitted as the API does, run by rigged workers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from graphjobs.api.job_request import JobRequest
from graphjobs.api.joining import Joining
from graphjobs.api.state_updates import UpdateJob
from graphjobs.api.submission import Submission
from graphjobs.aws.queue import JobQueue
from graphjobs.core.job import Job
from graphjobs.core.thread import Thread, new_thread_id
from graphjobs.testing import MemoryQueue
from tests.support.worker.gate import Died, Gate
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig

SAVERS = pytest.mark.parametrize("durable", [False, True], ids=["memory", "DynamoDB"])
"""With checkpoints of either kind."""


def lose(workers: Rig, job: Job, step: str, *, durable: bool = False) -> None:
    """A worker that is lost in `step`."""
    gate = Gate()
    HOOKS[step] = lambda: setattr(gate, "died_in", step)
    with pytest.raises(Died):
        workers.worker(gate, durable_saver=durable).process(job)
    workers.lapse()


@dataclass
class Turns:
    """One thread, and what is done on it."""

    workers: Rig
    graph: str
    thread_id: str
    durable: bool = False
    """Whether the checkpoints are in DynamoDB, as they really are, or in memory."""
    owner: str = "user-1"

    @property
    def row(self) -> Thread:
        """The thread now."""
        found = self.workers.aws.threads.get(self.thread_id)
        assert found is not None
        return found

    def submit(self, **members: Any) -> Job:
        """The next job of the thread, as ``POST /jobs`` would make it; `Problem` if it is refused."""
        aws = self.workers.aws
        joining = Joining(aws.jobs, aws.threads, aws.log, aws.transitions, aws.history, aws.clock)
        settings = replace(aws.settings, graphs=(self.graph,))
        queue = JobQueue(MemoryQueue(), "queue")  # type: ignore[arg-type]
        kind = UpdateJob if "state_update" in members else JobRequest
        request = kind(thread_id=self.thread_id, **{"if_not_exists": "create"} | members)
        job, _ = Submission(aws.jobs, queue, settings, joining, aws.clock).submit(self.owner, request, None)
        return job

    def update(self, values: Any, **members: Any) -> Job:
        """Submit a change of the state; `as_node` among the members says whose."""
        node = {"as_node": members.pop("as_node")} if "as_node" in members else {}
        return self.submit(state_update={"values": values, **node}, multitask_strategy="reject", **members)

    def say(self, text: str, **members: Any) -> Job:
        """Submit a turn that says `text`."""
        return self.submit(input={"said": [text]}, **members)

    def reply(self, resume: Any, **members: Any) -> Job:
        """Submit an answer."""
        return self.submit(**{"command": {"resume": resume}} | members)

    def run(self, job: Job, gate: Gate | None = None, **settings: Any) -> dict[str, Any]:
        """Let a new worker process the job; the data of its ``done``."""
        worker = self.workers.worker(gate, durable_saver=self.durable, **settings)
        worker.process(job)
        last = self.workers.events(job)[-1]
        assert last["type"] == "done", last
        done: dict[str, Any] = last["data"]
        return done

    def said(self, job: Job) -> list[str]:
        """What has been said when the job has run."""
        done = self.run(job)
        assert done["status"] == "completed", done
        words: list[str] = done["result"]["said"]
        return words


def turns(workers: Rig, graph: str, *, durable: bool = False) -> Turns:
    """A thread that nobody has used."""
    return Turns(workers, graph, new_thread_id(), durable)
