"""How a run ends: a clear code for the client, the trace in the log, nothing left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partialmethod
from typing import Any

import pytest
from langgraph.config import get_stream_writer
from langgraph.types import interrupt

from graphjobs.aws.cancel import cancel
from graphjobs.core.event import MAX_EVENT_BYTES
from graphjobs.core.job import Job
from graphjobs.core.times import now_ms
from graphjobs.testing import FakeClock
from graphjobs.worker import job_run
from graphjobs.worker.graph_run import GraphRun
from graphjobs.worker.heartbeat import Heartbeat
from tests.support.faults import FAULTS
from tests.support.worker.checks import check_sound
from tests.support.worker.graphs import HOOKS, steps_of
from tests.support.worker.rig import Rig, RiggedWorker

SECRET = "a secret of the graph's author"
SOON = 15.0
"""Seconds within which a stopped run has ended, on a machine under load; the nodes here would take an hour."""


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    """Lets nodes that cannot be stopped end with their test."""
    event = threading.Event()
    yield event
    event.set()


def run(workers: Rig, graph: str, hook: Callable[[], Any], **settings: Any) -> tuple[RiggedWorker, Job]:
    job, worker = workers.job(graph), workers.worker(**settings)
    HOOKS.update(in_thread=hook, on_loop=hook)
    worker.process(job)
    check_sound(workers.events(job), workers.row(job))
    return worker, job


def error_code(workers: Rig, job: Job) -> str:
    """The code with which the job failed; the event and `done` agree on it."""
    *_, told, done = workers.events(job)
    assert told["type"] == "error" and done["data"]["status"] == "failed"
    assert told["data"] == done["data"]["error"] and set(told["data"]) <= {"code", "message", "type", "where"}
    return str(told["data"]["code"])


def fail() -> None:
    raise ValueError(SECRET)


def ask() -> None:
    interrupt("May I?")


@pytest.mark.parametrize("graph", ["sync_hook", "async_hook"])
def test_a_node_that_raises_fails_the_job_and_its_trace_stays_in_the_log(workers: Rig, graph: str) -> None:
    worker, job = run(workers, graph, fail)
    assert error_code(workers, job) == "graph_error"
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
    assert error_code(workers, job) == "graph_error"
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
    assert error_code(workers, job) == "graph_error"


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
    assert error_code(workers, job) == "recursion_limit"


@pytest.mark.parametrize("graph", ["sync_hook", "async_hook"])
@pytest.mark.parametrize("where", ["event", "update"])
def test_what_is_too_large_fails_the_job(workers: Rig, where: str, graph: str) -> None:
    huge = "x" * (MAX_EVENT_BYTES + 1)

    def write() -> Any:
        if where == "update":
            return {"done": [huge]}
        return get_stream_writer()({"type": "big", "text": huge})

    _, job = run(workers, graph, write)
    assert error_code(workers, job) == "event_too_large"


def test_a_result_that_is_too_large_fails_the_job(workers: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts fit, the whole does not."""
    monkeypatch.setattr("graphjobs.core.event.MAX_EVENT_BYTES", 300)
    job, worker = workers.job("rounds", {"rounds": 40}), workers.worker()
    worker.process(job)
    assert error_code(workers, job) == "event_too_large"
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
    assert error_code(workers, job) == "graph_unavailable"


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


def cancelled(workers: Rig, job: Job) -> None:
    cancel(workers.row(job), workers.aws.jobs, workers.aws.transitions, clock=workers.aws.clock)


def test_a_cancel_stops_an_asynchronous_node(workers: Rig) -> None:
    job, worker = workers.job("async_hook"), workers.worker(watch_seconds=0.05)

    async def forever() -> None:
        await asyncio.to_thread(cancelled, workers, job)
        await asyncio.sleep(3600)

    HOOKS["on_loop"] = forever
    since = time.monotonic()
    worker.process(job)
    assert time.monotonic() - since < SOON
    assert workers.row(job).status == "cancelled" and worker.exits == []
    assert [event["type"] for event in workers.events(job)] == ["metadata", "done"]
    assert "JobsCancelled" in worker.metrics.names


@pytest.mark.parametrize("graph", ["sync_hook", "async_hook"], ids=["in a thread", "on the event loop"])
def test_a_node_that_outlives_a_cancel_takes_the_process_with_it(
    workers: Rig, graph: str, let_go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_run, "GRACE_SECONDS", 0.1)
    job, worker = workers.job(graph), workers.worker(watch_seconds=0.05)
    gone = threading.Event()
    order: list[str] = []

    def leave(code: int) -> None:
        order.append(
            f"exit {code}, {workers.row(job).status}, {worker.queue.calls[-1][0]}, {len(worker.metrics.flushed)}"
        )
        gone.set()
        let_go.set()

    def block() -> None:
        cancelled(workers, job)
        assert let_go.wait(60)
        assert gone.is_set()

    worker.leaves_by(leave)
    HOOKS.update(in_thread=block, on_loop=block)
    worker.process(job)
    assert order[0] == "exit 70, cancelled, delete, 1"
    assert [event["type"] for event in workers.events(job)] == ["metadata", "done"]


def test_a_node_that_lets_the_loop_go_as_its_grace_ends_holds_nobody_up(
    workers: Rig, let_go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heartbeat has just given the main thread up when that wakes, settles, and waits for the heartbeat."""
    monkeypatch.setattr(job_run, "GRACE_SECONDS", 0.1)
    job, worker = workers.job("async_hook"), workers.worker(watch_seconds=0.05)
    settling = threading.Event()
    warning, stop = worker.worker.reports.logger.warning, Heartbeat.stop

    def given_up(text: str, **more: Any) -> None:
        warning(text, **more)
        let_go.set()
        assert settling.wait(SOON)

    def stopped(heartbeat: Heartbeat) -> None:
        settling.set()
        stop(heartbeat)

    def block() -> None:
        cancelled(workers, job)
        assert let_go.wait(60)

    monkeypatch.setattr(worker.worker.reports.logger, "warning", given_up)
    monkeypatch.setattr(Heartbeat, "stop", stopped)
    HOOKS["on_loop"] = block
    processing = threading.Thread(target=worker.process, args=[job], daemon=True)
    processing.start()
    processing.join(SOON)
    assert not processing.is_alive(), "the two wait for each other"
    assert workers.row(job).status == "cancelled" and worker.exits == []


def test_nothing_follows_done_though_a_node_still_writes(
    workers: Rig, let_go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_run, "GRACE_SECONDS", 0.1)
    job, worker = workers.job("sync_hook"), workers.worker(watch_seconds=0.05)
    wrote = threading.Event()

    def talk() -> None:
        write = get_stream_writer()
        cancelled(workers, job)
        assert let_go.wait(60)
        try:
            write({"type": "late"})
        finally:
            wrote.set()

    worker.leaves_by(lambda code: (let_go.set(), wrote.wait(60)))
    HOOKS["in_thread"] = talk
    worker.process(job)
    assert wrote.is_set()
    assert [event["type"] for event in workers.events(job)] == ["metadata", "done"]


def test_a_job_past_its_deadline_is_stopped_and_failed(workers: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time passes while its node runs."""
    clock = FakeClock(now_ms())
    monkeypatch.setattr(Heartbeat, "__init__", partialmethod(Heartbeat.__init__, clock=clock))

    async def too_long() -> None:
        clock.advance(3601)
        await asyncio.sleep(3600)

    HOOKS["on_loop"] = too_long
    job, worker = workers.job("async_hook", timeout=3600), workers.worker(watch_seconds=0.05)
    since = time.monotonic()
    worker.process(job)
    assert time.monotonic() - since < SOON
    assert steps_of(worker.name) == ["on_loop"]
    assert error_code(workers, job) == "timed_out"


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
