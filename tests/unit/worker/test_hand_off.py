"""Before its function's deadline a worker hands its job on at a step boundary: nothing is lost, nothing repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from graphjobs.core.job import Job
from graphjobs.core.times import now_ms
from graphjobs.worker import worker as worker_module
from graphjobs.worker.heartbeat import limits
from graphjobs.worker.job_run import JobRun
from tests.support.worker.checks import check_sound, kept
from tests.support.worker.gate import Died, Gate
from tests.support.worker.graphs import HOOKS, JOURNAL
from tests.support.worker.rig import Rig, RiggedWorker

SOON = 0.05
"""The watch interval, in seconds, of tests that wait for the heartbeat."""


def invoke(workers: Rig, job: Job, **settings: Any) -> RiggedWorker:
    """One invocation of a fresh worker."""
    worker = workers.worker(**settings)
    worker.process(job)
    workers.retire(worker)
    return worker


def steps() -> list[str]:
    return [step for _, step in JOURNAL]


def attempts(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == "attempt"]


def test_forty_hand_offs_lose_and_repeat_nothing(workers: Rig, drain: Callable[[], None]) -> None:
    job = workers.job("rounds", {"rounds": 41})
    for number in range(1, 41):
        HOOKS[f"plan-{number}"] = drain
        worker = invoke(workers, job)
        assert worker.queue.sent == [job.job_id]
        assert "HandOffs" in worker.metrics.names
        assert steps()[-1] == f"plan-{number}"
    assert invoke(workers, job).queue.sent == []
    row, events = workers.row(job), workers.events(job)
    expected = [f"plan-{number}" for number in range(1, 42)]
    check_sound(events, row)
    assert (row.handoffs, row.attempt, row.epoch) == (40, 1, 41)
    assert steps() == expected == events[-1]["data"]["result"]["done"]
    assert all(
        e["data"] == {"attempt": 1, "reason": "handoff", "discard_after": e["seq"] - 1} for e in attempts(events)
    )
    assert len(kept(events)) == len(events) - 40


def test_a_job_is_released_before_its_message_is_sent(workers: Rig, drain: Callable[[], None]) -> None:
    job = workers.job("rounds", {"rounds": 2})
    worker = workers.worker()
    leases: list[int] = []
    send = worker.queue.send_message

    def sent(**message: Any) -> None:
        leases.append(workers.row(job).lease_until)
        send(**message)

    worker.queue.send_message = sent  # type: ignore[method-assign]
    HOOKS["plan-1"] = drain
    worker.process(job)
    assert leases == [0], "a message that comes before the release would be acknowledged as a duplicate"


def test_a_mark_that_no_slot_carries_is_handed_on_in_the_row(workers: Rig, drain: Callable[[], None]) -> None:
    """The step's last event was written before its state was saved, and no event followed."""
    job, worker = workers.job("rounds", {"rounds": 2}), workers.worker()
    HOOKS["plan-1"] = drain
    worker.before_save(1, lambda: workers.until_logged(job, "update"))
    worker.process(job)
    mark = workers.row(job).mark
    assert mark is not None and mark.boundary_seq == workers.events(job)[-1]["seq"]
    invoke(workers, job)
    assert steps() == ["plan-1", "plan-2"]
    assert workers.row(job).mark is None
    check_sound(workers.events(job), workers.row(job))


def test_a_crash_after_a_hand_off_counts_and_keeps_what_was_handed_on(workers: Rig, drain: Callable[[], None]) -> None:
    job = workers.job("rounds", {"rounds": 3})
    HOOKS["plan-1"] = drain
    invoke(workers, job)
    gate = Gate()
    HOOKS["plan-2"] = gate.die
    with pytest.raises(Died):
        workers.worker(gate).process(job)
    workers.lapse()
    invoke(workers, job)
    assert steps() == ["plan-1", "plan-2", "plan-2", "plan-3"]
    assert [e["data"]["reason"] for e in attempts(workers.events(job))] == ["handoff", "crash"]
    assert workers.row(job).attempt == 2
    check_sound(workers.events(job), workers.row(job))


def test_hand_offs_are_bounded(workers: Rig, drain: Callable[[], None]) -> None:
    job = workers.job("rounds", {"rounds": 9})
    for number in range(1, 4):
        HOOKS[f"plan-{number}"] = drain
        invoke(workers, job, max_handoffs=2)
    last = invoke(workers, job, max_handoffs=2)
    assert steps() == ["plan-1", "plan-2", "plan-3"]
    assert workers.events(job)[-1]["data"]["error"]["code"] == "too_many_handoffs"
    assert last.metrics.names == ["JobsFailed", "JobsCompleted", "RunTime"]
    # A rate needs both numbers, also where no job has ever completed.
    assert (last.metrics.metric_set["JobsFailed"], last.metrics.metric_set["JobsCompleted"]) == (1, 0)


def test_the_deadline_of_the_function_drains(workers: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat asks while a step runs, and that is finished first."""
    far = now_ms() + 60_000
    times = SimpleNamespace(drain_at=far, leave_at=far)
    monkeypatch.setattr(worker_module, "limits", lambda now, remaining: times)
    job = workers.job("async_hook")
    asked = asyncio.Event()
    drained = JobRun.drain

    def seen(run: JobRun) -> None:
        drained(run)
        worker.worker.host.loop.call_soon_threadsafe(asked.set)

    monkeypatch.setattr(JobRun, "drain", seen)
    worker = workers.worker(watch_seconds=SOON)

    def time_is_up() -> Any:
        times.drain_at = 0
        return asked.wait()

    HOOKS["on_loop"] = time_is_up
    worker.process(job)
    row = workers.row(job)
    assert row.released == "handoff" or row.status == "completed"
    if not row.status.terminal:
        invoke(workers, job)
    assert steps() == ["on_loop"]
    check_sound(workers.events(job), workers.row(job))


def test_a_step_longer_than_the_function_ends_as_such(workers: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is up only once the step has begun, however slowly this machine gets there."""
    far = now_ms() + 60_000
    job = workers.job("async_hook")
    for attempt in (1, 2):
        times = SimpleNamespace(drain_at=far, leave_at=far)
        monkeypatch.setattr(worker_module, "limits", lambda now, remaining, times=times: times)

        def time_is_up(times: SimpleNamespace = times) -> Any:
            times.drain_at = times.leave_at = 0
            return asyncio.sleep(3600)

        HOOKS["on_loop"] = time_is_up
        worker = invoke(workers, job, max_attempts=2, watch_seconds=SOON)
        assert worker.queue.sent == [job.job_id]
        assert workers.row(job).attempt == attempt
    invoke(workers, job, max_attempts=2)
    events = workers.events(job)
    check_sound(events, workers.row(job))
    assert (events[-1]["data"]["status"], events[-1]["data"]["error"]["code"]) == ("failed", "step_exceeds_limit")
    assert steps() == ["on_loop"] * 2
    assert [event["data"]["reason"] for event in attempts(events)] == ["crash"]


@pytest.mark.usefixtures("patient_updates")
def test_a_job_of_many_long_steps_goes_on_while_it_gets_somewhere(
    workers: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given steps of which only one fits into an invocation, when the next is cut each time, then all get done."""
    far = now_ms() + 60_000
    job = workers.job("turns", {"rounds": 6})
    for number in range(1, 6):
        times = SimpleNamespace(drain_at=far, leave_at=far)
        monkeypatch.setattr(worker_module, "limits", lambda now, remaining, times=times: times)

        async def time_is_up(number: int = number, times: SimpleNamespace = times) -> None:
            await asyncio.to_thread(workers.until_logged, job, "update", number)
            times.leave_at = 0
            await asyncio.sleep(3600)

        HOOKS[f"turn-{number + 1}"] = time_is_up
        worker = invoke(workers, job, max_attempts=1, watch_seconds=SOON)
        assert worker.queue.sent == [job.job_id]
        assert "HandOffs" in worker.metrics.names
    times = SimpleNamespace(drain_at=far, leave_at=far)
    invoke(workers, job, max_attempts=1)
    row, events = workers.row(job), workers.events(job)
    check_sound(events, row)
    assert (row.status, row.attempt, row.handoffs) == ("completed", 1, 5)
    assert {event["data"]["reason"] for event in attempts(events)} == {"crash"}, "the cut step's events are void"
    assert events[-1]["data"]["result"]["done"] == [f"turn-{number}" for number in range(1, 7)]


@pytest.mark.parametrize("remaining", [0, 1, 500, 10_000, 300_000, 900_000])
def test_a_worker_drains_before_it_leaves_and_leaves_before_the_function_ends(remaining: int) -> None:
    made = limits(1_000, remaining)
    assert 1_000 <= made.drain_at <= made.leave_at <= 1_000 + remaining
    if remaining >= 500:
        assert made.drain_at < made.leave_at < 1_000 + remaining
