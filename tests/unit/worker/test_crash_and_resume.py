"""A worker that dies at any of its writes: the next one carries on, and the log tells of one run of the graph."""

from __future__ import annotations

import threading

import pytest

from graphjobs.core.job import Job
from tests.support.worker.checks import check_nothing_repeated, check_sound, kept, story
from tests.support.worker.gate import Died, Gate, Phase
from tests.support.worker.graphs import steps_of
from tests.support.worker.rig import Rig, RiggedWorker

INPUT: dict[str, object] = {"rounds": 2}
ONE_ROUND: dict[str, object] = {"rounds": 1}


def run_clean(workers: Rig, graph: str, given: dict[str, object] = INPUT) -> list[dict[str, object]]:
    job = workers.job(graph, given)
    worker = workers.worker()
    worker.process(job)
    workers.retire(worker)
    return workers.events(job)


END = "worker.TransactWriteItems"
"""The second transaction of a run: the first is its claim. How many puts are between is a matter of time."""


def crash(workers: Rig, job: Job, gate: Gate, *, durable_saver: bool = False) -> bool:
    """Run a worker that dies as `gate` says; whether it did before the job was over."""
    worker = workers.worker(gate, durable_saver=durable_saver)
    try:
        worker.process(job)
    except Died:
        assert gate.dead
    workers.retire(worker)
    workers.lapse()
    return gate.dead


def resume(workers: Rig, job: Job, *, durable_saver: bool = False) -> RiggedWorker:
    worker = workers.worker(durable_saver=durable_saver)
    worker.process(job)
    workers.retire(worker)
    return worker


def check(workers: Rig, job: Job, resumed: RiggedWorker, clean: list[dict[str, object]]) -> None:
    events = workers.events(job)
    check_sound(events, workers.row(job))
    assert story(events) == story(clean)
    check_nothing_repeated(events, resumed.name)


@pytest.mark.parametrize(
    ("graph", "phase"),
    [("parallel", Phase.BEFORE), ("parallel", Phase.AFTER), ("nested", Phase.BEFORE), ("tokens", Phase.BEFORE)],
)
def test_after_a_crash_at_any_write_the_kept_events_are_those_of_one_run(
    workers: Rig, graph: str, phase: Phase
) -> None:
    clean = run_clean(workers, graph, ONE_ROUND)
    died_in: list[str] = []
    while True:
        job = workers.job(graph, ONE_ROUND)
        gate = Gate(die_at=len(died_in) + 1, phase=phase)
        if not crash(workers, job, gate):
            break
        died_in.append(gate.died_in)
        check(workers, job, resume(workers, job), clean)
    kinds = {"worker.TransactWriteItems", "worker.PutItem", "saver.put", "saver.put_writes"}
    assert set(died_in) == kinds, "every kind of write was a place to die in"
    assert len(died_in) >= len(kept(clean)) // 2


@pytest.mark.parametrize("die_at", range(2, 27, 5))
def test_after_a_crash_within_a_dynamodb_checkpoint_the_job_goes_on_from_the_one_before(
    workers: Rig, die_at: int
) -> None:
    """A save that was not confirmed must not be resumed from."""
    clean = run_clean(workers, "rounds")
    job = workers.job("rounds", INPUT)
    crash(workers, job, Gate(die_at), durable_saver=True)
    check(workers, job, resume(workers, job, durable_saver=True), clean)


@pytest.mark.parametrize("spacing", [5, 8])
def test_a_job_survives_a_crash_of_every_attempt_but_the_last(workers: Rig, spacing: int) -> None:
    clean = run_clean(workers, "parallel")
    job = workers.job("parallel", INPUT)
    for _ in range(workers.aws.settings.max_attempts - 1):
        assert crash(workers, job, Gate(spacing, Phase.AFTER))
    check(workers, job, resume(workers, job), clean)
    attempts = [event["data"]["attempt"] for event in workers.events(job) if event["type"] == "attempt"]
    assert attempts == [2, 3] == list(range(2, workers.row(job).attempt + 1))


def test_a_crash_before_the_first_mark_starts_over(workers: Rig) -> None:
    job = workers.job("tokens", INPUT)
    crash(workers, job, Gate(2))
    resumed = resume(workers, job)
    attempt = next(event for event in workers.events(job) if event["type"] == "attempt")
    assert attempt["data"] == {"attempt": 2, "reason": "crash", "discard_after": 1}
    check(workers, job, resumed, run_clean(workers, "tokens"))


def test_a_crash_after_the_last_mark_runs_nothing_again(workers: Rig) -> None:
    clean = run_clean(workers, "rounds")
    job = workers.job("rounds", INPUT)
    assert crash(workers, job, Gate(2, of=END))
    resumed = resume(workers, job)
    check(workers, job, resumed, clean)
    assert steps_of(resumed.name) == []


def test_an_end_whose_answer_was_lost_is_not_made_again(workers: Rig) -> None:
    job = workers.job("rounds", INPUT)
    assert crash(workers, job, Gate(2, Phase.AFTER, of=END))
    before = workers.events(job)
    assert before[-1]["type"] == "done"
    resumed = resume(workers, job)
    assert workers.events(job) == before
    assert resumed.metrics.names == []


def test_a_checkpoint_whose_save_was_not_confirmed_is_not_named_by_the_log(workers: Rig) -> None:
    """The events of its step are written while it is still being saved."""
    clean = run_clean(workers, "rounds")
    job, gate = workers.job("rounds", INPUT), Gate()
    worker = workers.worker(gate)

    def never_saved() -> None:
        workers.until_logged(job, "update", 2)
        gate.die()

    worker.before_save(2, never_saved)
    with pytest.raises(Died):
        worker.process(job)
    workers.lapse()
    resumed = resume(workers, job)
    check(workers, job, resumed, clean)
    assert steps_of(resumed.name) == ["plan-2"]


def test_checkpoints_that_the_log_never_named_are_as_if_never_saved(
    workers: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer is behind the graph when the worker dies: the next one begins with the input, on another thread."""
    clean = run_clean(workers, "rounds")
    job, gate, saved = workers.job("rounds", INPUT), Gate(), threading.Event()
    worker = workers.worker(gate)

    def append(slot: object) -> None:
        assert saved.wait(30)
        gate.die()
        raise Died

    monkeypatch.setattr(worker.worker.stores.log, "append", append)
    worker.before_save(2, saved.set)
    with pytest.raises(Died):
        worker.process(job)
    workers.lapse()
    resumed = resume(workers, job)
    check(workers, job, resumed, clean)
    assert steps_of(resumed.name) == ["plan-1", "plan-2"]
