"""A worker that wakes after another has taken its job: it changes nothing, and leaves quietly."""

from __future__ import annotations

import pytest

from graphjobs.core.job import Job
from tests.support.worker import graphs as worker_graphs
from tests.support.worker.checks import check_nothing_repeated, check_sound, story
from tests.support.worker.gate import Died, Gate
from tests.support.worker.graphs import HOOKS, steps_of
from tests.support.worker.rig import Rig, RiggedWorker

INPUT = {"rounds": 3}


pytestmark = pytest.mark.usefixtures("patient_updates")


def sleeps_while(zombie: RiggedWorker, workers: Rig, job: Job, step: str, others: object) -> None:
    """Within `step` the zombie's lease lapses and `others` happen; its heartbeat does not tell it."""
    zombie.blind()
    written = int(step.removeprefix("plan-")) - 1

    def asleep() -> None:
        # It falls asleep, is not overtaken: what it has done so far is in the log.
        workers.until_logged(job, "update", written)
        workers.lapse()
        others()  # type: ignore[operator]
        worker_graphs.begin(zombie.name)

    HOOKS[step] = asleep


def clean_story(workers: Rig) -> dict[str, list[object]]:
    job = workers.job("rounds", INPUT)
    workers.worker().process(job)
    return story(workers.events(job))


def test_a_woken_worker_is_fenced_and_leaves_quietly(workers: Rig) -> None:
    expected = clean_story(workers)
    job = workers.job("rounds", INPUT)
    zombie, heir = workers.worker(), workers.worker()
    after_heir: list[tuple[Job, list[dict[str, object]]]] = []

    def taken_over() -> None:
        heir.process(job)
        after_heir.append((workers.row(job), workers.events(job)))

    sleeps_while(zombie, workers, job, "plan-2", taken_over)
    zombie.process(job)
    assert [(workers.row(job), workers.events(job))] == after_heir
    check_sound(workers.events(job), workers.row(job))
    assert story(workers.events(job)) == expected
    check_nothing_repeated(workers.events(job), heir.name)
    assert "FencedWrites" in zombie.metrics.names and "FencedWrites" not in heir.metrics.names
    assert not {"JobsCompleted", "JobsFailed"} & set(zombie.metrics.names)
    assert zombie.queue.sent == []
    assert zombie.exits == []
    assert "ERROR" not in {line["level"] for line in zombie.logged}


def test_what_a_woken_worker_saved_is_never_resumed_from(workers: Rig) -> None:
    expected = clean_story(workers)
    job = workers.job("rounds", INPUT)
    gate = Gate()
    zombie, lost, heir = workers.worker(), workers.worker(gate), workers.worker()

    def taken_over_and_lost() -> None:
        HOOKS["plan-2"] = gate.die
        try:
            lost.process(job)
        except Died:
            workers.lapse()

    sleeps_while(zombie, workers, job, "plan-2", taken_over_and_lost)
    zombie.process(job)
    assert gate.dead
    saved = workers.checkpoints.get_tuple({"configurable": {"thread_id": f"{job.job_id}:1"}})
    assert saved is not None and saved.checkpoint["channel_values"]["round"] >= 2, "the zombie did save"
    heir.process(job)
    assert steps_of(heir.name) == ["plan-2", "plan-3"]
    check_sound(workers.events(job), workers.row(job))
    assert story(workers.events(job)) == expected
    assert workers.row(job).attempt == 3


def test_a_worker_that_slept_through_its_whole_job_cannot_fail_it_either(workers: Rig) -> None:
    job = workers.job("rounds", INPUT)
    zombie, heir = workers.worker(), workers.worker()

    def taken_over() -> None:
        heir.process(job)
        raise ValueError("the zombie's node fails")

    sleeps_while(zombie, workers, job, "plan-1", taken_over)
    zombie.process(job)
    assert workers.row(job).status == "completed"
    check_sound(workers.events(job), workers.row(job))
    assert "FencedWrites" in zombie.metrics.names
