"""A job that was begun with the graphs of one deployment and is taken up by a worker of another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graphjobs.core.job import Job, Status
from tests.support.worker.checks import check_sound, kept
from tests.support.worker.gate import Died, Gate
from tests.support.worker.graphs import HOOKS, JOURNAL
from tests.support.worker.rig import Rig, RiggedWorker


def invoke(workers: Rig, job: Job, digest: str, policy: str = "resume") -> RiggedWorker:
    """One invocation of a worker with the graphs `digest`."""
    worker = workers.worker(graph_digest=digest, on_new_version=policy)
    worker.process(job)
    workers.retire(worker)
    return worker


def handed_on(workers: Rig, drain: Callable[[], None], digest: str = "aaaa") -> Job:
    """A job of three steps; a worker with the graphs `digest` has done the first one and has handed it on."""
    job = workers.job("rounds", {"rounds": 3})
    HOOKS["plan-1"] = drain
    invoke(workers, job, digest)
    assert steps() == ["plan-1"] and workers.row(job).digest == digest
    return job


def steps() -> list[str]:
    return [step for _, step in JOURNAL]


def test_it_goes_on_and_says_with_what(workers: Rig, drain: Callable[[], None]) -> None:
    job = handed_on(workers, drain)
    invoke(workers, job, "bbbb")
    row, events = workers.row(job), workers.events(job)
    check_sound(events, row)
    assert steps() == ["plan-1", "plan-2", "plan-3"] and row.digest == "bbbb"
    assert events[0]["data"] == {"graph": "rounds", "model": None, "digest": "aaaa"}
    (attempt,) = [event for event in events if event["type"] == "attempt"]
    assert attempt["data"] == {
        "attempt": 1, "reason": "handoff", "discard_after": attempt["seq"] - 1, "digest": "bbbb",
    }  # fmt: skip


def test_it_begins_again_if_that_is_wanted(workers: Rig, drain: Callable[[], None]) -> None:
    job = handed_on(workers, drain)
    invoke(workers, job, "bbbb", "restart")
    row, events = workers.row(job), workers.events(job)
    check_sound(events, row)
    assert steps() == ["plan-1", "plan-1", "plan-2", "plan-3"]
    (attempt,) = [event for event in events if event["type"] == "attempt"]
    assert attempt["data"] == {"attempt": 1, "reason": "new_version", "discard_after": 1, "digest": "bbbb"}
    assert [event["type"] for event in kept(events)].count("update") == 3, "the kept events are those of one run"
    assert events[-1]["data"]["result"]["done"] == ["plan-1", "plan-2", "plan-3"]


def test_a_restart_is_made_once(workers: Rig, drain: Callable[[], None]) -> None:
    job = handed_on(workers, drain)
    HOOKS["plan-2"] = drain
    invoke(workers, job, "bbbb", "restart")
    invoke(workers, job, "bbbb", "restart")
    check_sound(workers.events(job), workers.row(job))
    assert steps() == ["plan-1", "plan-1", "plan-2", "plan-3"]


def test_it_fails_if_that_is_wanted(workers: Rig, drain: Callable[[], None]) -> None:
    job = handed_on(workers, drain)
    worker = invoke(workers, job, "bbbb", "fail")
    row, events = workers.row(job), workers.events(job)
    check_sound(events, row)
    assert row.status is Status.FAILED and steps() == ["plan-1"]
    assert events[-1]["data"]["error"]["code"] == "new_version"
    assert "JobsFailed" in worker.metrics.names


@pytest.mark.parametrize("policy", ["restart", "fail"])
@pytest.mark.parametrize(("before", "after"), [("aaaa", "aaaa"), ("", "bbbb"), ("aaaa", "")])
def test_the_same_graphs_or_unknown_ones_go_on(
    workers: Rig, drain: Callable[[], None], policy: str, before: str, after: str
) -> None:
    job = handed_on(workers, drain, before)
    invoke(workers, job, after, policy)
    assert steps() == ["plan-1", "plan-2", "plan-3"]
    assert workers.row(job).status is Status.COMPLETED
    assert workers.row(job).digest == after or before


@pytest.mark.parametrize("policy", ["restart", "fail"])
def test_a_job_that_has_completed_no_step_begins_with_its_input_anyway(workers: Rig, policy: str) -> None:
    job = workers.job("rounds", {"rounds": 1})
    with pytest.raises(Died):
        workers.worker(Gate(die_at=2), graph_digest="aaaa").process(job)
    workers.lapse()
    invoke(workers, job, "bbbb", policy)
    assert workers.row(job).status is Status.COMPLETED
    assert [event["data"]["reason"] for event in workers.events(job) if event["type"] == "attempt"] == ["crash"]
