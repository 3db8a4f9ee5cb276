"""What a factory holds open is left before the job has ended, in whatever way it ends; and it changes nothing of that.

The context manager of these tests raises another exception in place of the one that passes it, as task groups do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from graphjobs.aws.cancel import cancel
from graphjobs.aws.claims import Claim
from graphjobs.core.job import Job
from graphjobs.worker.heartbeat import Stop
from tests.support.worker.checks import check_sound
from tests.support.worker.graphs import HELD, HOOKS
from tests.support.worker.rig import Rig, RiggedWorker

SOON = 0.05
"""The watch interval, in seconds, of tests that wait for the heartbeat."""

ONCE = ["entered as held", "left"]


def run(workers: Rig, hook: Callable[[Job], Any]) -> tuple[RiggedWorker, Job]:
    """A job of the graph `held`, in whose first turn `hook` is called."""
    job, worker = workers.job("held", {"rounds": 2}), workers.worker(watch_seconds=SOON)
    HOOKS["turn-1"] = lambda: hook(job)
    worker.process(job)
    assert worker.exits == []
    return worker, job


def test_when_it_is_completed(workers: Rig) -> None:
    _, job = run(workers, lambda job: None)
    assert workers.row(job).status == "completed" and HELD == ONCE
    check_sound(workers.events(job), workers.row(job))


def test_when_its_graph_fails(workers: Rig) -> None:
    def fail(job: Job) -> None:
        raise LookupError("x")

    _, job = run(workers, fail)
    assert HELD == ONCE
    error = workers.events(job)[-1]["data"]["error"]
    assert (error["code"], error["type"]) == ("graph_error", "LookupError")


def test_when_it_is_cancelled(workers: Rig) -> None:
    async def cancelled(job: Job) -> None:
        await asyncio.to_thread(
            cancel, workers.row(job), workers.aws.jobs, workers.aws.transitions, clock=workers.aws.clock
        )
        await asyncio.sleep(3600)

    _, job = run(workers, cancelled)
    assert workers.row(job).status == "cancelled" and HELD == ONCE


@pytest.mark.parametrize("reason", [Stop.TIMED_OUT, Stop.STEP_LIMIT], ids=str)
def test_when_its_time_is_over(workers: Rig, reason: Stop) -> None:
    async def stopped(job: Job) -> None:
        await asyncio.to_thread(workers.runs[-1].stop, reason)
        await asyncio.sleep(3600)

    _, job = run(workers, stopped)
    assert HELD == ONCE
    assert (workers.row(job).status == "failed") is (reason is Stop.TIMED_OUT)


def test_when_another_worker_has_taken_over(workers: Rig) -> None:
    claims: list[Any] = []

    def overtaken(job: Job) -> None:
        workers.lapse()
        claims.append(workers.aws.claims.claim(job.job_id, model=None))

    worker, job = run(workers, overtaken)
    assert isinstance(claims[0], Claim) and "FencedWrites" in worker.metrics.names
    assert HELD == ONCE and workers.row(job).epoch == 2


def test_when_it_is_handed_on_and_the_next_worker_opens_its_own(workers: Rig, drain: Callable[[], None]) -> None:
    worker, job = run(workers, lambda job: drain())
    assert worker.queue.sent == [job.job_id] and HELD == ONCE
    workers.worker().process(job)
    assert workers.row(job).status == "completed" and HELD == ONCE * 2
    check_sound(workers.events(job), workers.row(job))
