"""A run that is stopped, by a cancel or its deadline, ends whatever its nodes do: and nothing follows `done`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partialmethod
from typing import Any

import pytest
from langgraph.config import get_stream_writer

from graphjobs.aws.cancel import cancel
from graphjobs.core.job import Job
from graphjobs.core.times import now_ms
from graphjobs.testing import FakeClock
from graphjobs.worker import job_run
from graphjobs.worker.heartbeat import Heartbeat
from tests.support.worker.checks import error_code
from tests.support.worker.graphs import HOOKS, steps_of
from tests.support.worker.rig import Rig

SOON = 15.0
"""Seconds within which a stopped run has ended, on a machine under load; the nodes here would take an hour."""


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    """Lets nodes that cannot be stopped end with their test."""
    event = threading.Event()
    yield event
    event.set()


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
    assert error_code(workers.events(job)) == "timed_out"
