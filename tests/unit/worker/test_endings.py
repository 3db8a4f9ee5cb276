"""How a run ends: a clear code for the client, the trace in the log, nothing left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.config import get_stream_writer
from langgraph.types import interrupt

from graphjobs.core.event import MAX_EVENT_BYTES
from graphjobs.core.job import Job
from graphjobs.worker.graph_run import GraphRun
from tests.support.faults import FAULTS
from tests.support.worker.checks import check_sound, error_code
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig, RiggedWorker

SECRET = "a secret of the graph's author"


def run(workers: Rig, graph: str, hook: Callable[[], Any], **settings: Any) -> tuple[RiggedWorker, Job]:
    job, worker = workers.job(graph), workers.worker(**settings)
    HOOKS.update(in_thread=hook, on_loop=hook)
    worker.process(job)
    check_sound(workers.events(job), workers.row(job))
    return worker, job


def fail() -> None:
    raise ValueError(SECRET)


def ask() -> None:
    interrupt("May I?")


@pytest.mark.parametrize("graph", ["sync_hook", "async_hook"])
def test_a_node_that_raises_fails_the_job_and_its_trace_stays_in_the_log(workers: Rig, graph: str) -> None:
    worker, job = run(workers, graph, fail)
    assert error_code(workers.events(job)) == "graph_error"
    assert SECRET not in json.dumps(workers.events(job))
    logged = next(line for line in worker.logged if line["level"] == "ERROR")
    assert SECRET in logged["exception"] and "Traceback" in logged["exception"] and "def fail" not in logged["message"]
    assert logged["job_id"] == job.job_id
    assert "JobsFailed" in worker.metrics.names and worker.exits == []


class Rude(BaseException):
    """What nothing that catches `Exception` catches."""


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Rude()], ids=repr)
@pytest.mark.parametrize("graph", ["sync_hook", "async_hook"])
def test_a_node_that_would_end_the_process_fails_its_job_like_any_other(
    workers: Rig, graph: str, error: BaseException
) -> None:
    """asyncio lets `SystemExit` end its loop; as a crash the same node would be run again, to the same end."""

    def leave() -> None:
        raise error

    worker, job = run(workers, graph, leave)
    assert error_code(workers.events(job)) == "graph_error"
    assert workers.row(job).attempt == 1 and worker.exits == []
    logged = next(line for line in worker.logged if line["level"] == "ERROR")
    assert type(error).__name__ in logged["exception"]
    after = workers.job("parallel", {"rounds": 1})
    worker.process(after)
    assert workers.row(after).status == "completed", "the worker goes on with its next job"


def test_a_task_that_would_end_the_process_ends_itself_alone(workers: Rig) -> None:
    async def leave() -> None:
        await asyncio.sleep(0)
        sys.exit(3)

    async def spawn() -> None:
        kept.append(asyncio.ensure_future(leave()))
        await asyncio.wait(kept)
        kept.append(asyncio.ensure_future(leave()))  # and one that outlives its graph

    kept: list[Any] = []
    worker, job = run(workers, "async_hook", spawn)
    assert workers.row(job).status == "completed" and worker.exits == []
    assert all(isinstance(task.exception(), SystemExit) for task in kept if not task.cancelled())


def test_a_graph_that_cancels_itself_fails(workers: Rig) -> None:
    def give_up() -> None:
        raise asyncio.CancelledError

    _, job = run(workers, "async_hook", give_up)
    assert error_code(workers.events(job)) == "graph_error"


@pytest.mark.parametrize("graph", ["sync_hook", "async_hook"])
def test_a_question_ends_the_job_as_interrupted(workers: Rig, graph: str) -> None:
    worker, job = run(workers, graph, ask)
    *_, asked, done = workers.events(job)
    assert done["data"]["status"] == "interrupted" and workers.row(job).status == "interrupted"
    (question,) = done["data"]["interrupts"]
    assert asked["type"] == "interrupt" and asked["data"] == {**asked["data"], **question, "node": "only"}
    thread = workers.aws.threads.get(job.thread)
    assert thread is not None and thread.status == "interrupted" and thread.interrupts == (question["id"],)
    assert worker.exits == []


def test_a_graph_without_end_exceeds_its_recursion_limit(workers: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    made = GraphRun._config
    monkeypatch.setattr(GraphRun, "_config", lambda run: {**made(run), "recursion_limit": 5})
    job = workers.job("rounds", {"rounds": 100})
    workers.worker().process(job)
    assert error_code(workers.events(job)) == "recursion_limit"


@pytest.mark.parametrize("graph", ["sync_hook", "async_hook"])
@pytest.mark.parametrize("where", ["event", "update"])
def test_what_is_too_large_fails_the_job(workers: Rig, where: str, graph: str) -> None:
    huge = "x" * (MAX_EVENT_BYTES + 1)

    def write() -> Any:
        if where == "update":
            return {"done": [huge]}
        return get_stream_writer()({"type": "big", "text": huge})

    _, job = run(workers, graph, write)
    assert error_code(workers.events(job)) == "event_too_large"


def test_a_result_that_is_too_large_fails_the_job(workers: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts fit, the whole does not."""
    monkeypatch.setattr("graphjobs.core.event.MAX_EVENT_BYTES", 300)
    job, worker = workers.job("rounds", {"rounds": 40}), workers.worker()
    worker.process(job)
    assert error_code(workers.events(job)) == "event_too_large"
    assert workers.row(job).status == "failed"


def test_a_result_of_any_kind_becomes_json(workers: Rig) -> None:
    @dataclasses.dataclass
    class Odd:
        value: float = math.nan

    _, job = run(workers, "sync_hook", lambda: {"done": [Odd(), {1}, b"x", "\ud800"]})
    done = workers.events(job)[-1]["data"]
    assert done["status"] == "completed"
    assert done["result"]["done"] == [{"value": None}, [1], {"base64": "eA=="}, "\ufffd"]


def test_a_graph_that_nobody_knows_fails(workers: Rig) -> None:
    _, job = run(workers, "no-such-graph", fail)
    assert error_code(workers.events(job)) == "graph_unavailable"


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_log_that_fails_for_a_while_is_not_noticed(workers: Rig, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setattr("graphjobs.aws.retry.backoff", lambda attempt: 0.0)
    job, worker = workers.job("parallel", {"rounds": 1}), workers.worker()
    real, left = worker.worker.stores.log.append, [3]

    def append(slot: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise FAULTS[fault]()
        real(slot)

    monkeypatch.setattr(worker.worker.stores.log, "append", append)
    worker.process(job)
    assert left == [0] and workers.row(job).status == "completed"
    check_sound(workers.events(job), workers.row(job))


def test_a_task_that_a_graph_leaves_behind_does_not_outlive_its_job(workers: Rig) -> None:
    ended: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    async def spawn() -> None:
        asyncio.ensure_future(linger())  # noqa: RUF006 -- nobody is to keep it
        await asyncio.sleep(0)

    worker, job = run(workers, "async_hook", spawn)
    assert ended == ["cancelled"] and workers.row(job).status == "completed"
    assert "ERROR" not in {line["level"] for line in worker.logged}
