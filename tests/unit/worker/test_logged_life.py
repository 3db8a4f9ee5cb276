"""What the worker logs of a job's claims: which one it is, and how the one before ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphjobs.core.job import Job, Release
from tests.support.worker.gate import Died, Gate
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig, RiggedWorker


def run(workers: Rig, job: Job, **settings: Any) -> list[dict[str, Any]]:
    """The log of a fresh worker that was given the job's message."""
    return logged_by(workers, workers.worker(**settings), job)


def logged_by(workers: Rig, worker: RiggedWorker, job: Job) -> list[dict[str, Any]]:
    worker.process(job)
    lines = worker.logged
    workers.retire(worker)
    return lines


def killed(workers: Rig, job: Job) -> None:
    """A worker that dies in the middle of its graph; its lease has lapsed."""
    gate = Gate()
    HOOKS["plan-1"] = gate.die
    with pytest.raises(Died):
        workers.worker(gate).process(job)
    workers.lapse()


def line(lines: list[dict[str, Any]], message: str) -> dict[str, Any]:
    (found,) = (each for each in lines if each["message"] == message)
    return found


def who(found: dict[str, Any]) -> tuple[str, int, int]:
    return found["job_id"], found["epoch"], found["attempt"]


def test_every_line_of_a_run_says_of_which_claim_it_is(workers: Rig) -> None:
    job = workers.job("rounds", {"rounds": 1})
    lines = run(workers, job)
    assert [who(line(lines, message)) for message in ("claimed", "finished")] == [(job.job_id, 1, 1)] * 2
    assert "left" not in line(lines, "claimed"), "nobody had it before"
    assert not any(each["message"] == "a worker was lost" for each in lines)


def test_a_lost_worker_is_told_by_the_one_that_takes_over(workers: Rig) -> None:
    job = workers.job("rounds", {"rounds": 1})
    killed(workers, job)
    lines = run(workers, job)
    lost = line(lines, "a worker was lost")
    assert (lost["level"], *who(lost)) == ("WARNING", job.job_id, 1, 1)
    assert lost["lease_until"].endswith("Z")
    claimed = line(lines, "claimed")
    assert (*who(claimed), claimed["left"]) == (job.job_id, 2, 2, "lost")


def test_the_last_loss_is_told_too(workers: Rig) -> None:
    job = workers.job("rounds", {"rounds": 1})
    for _ in range(workers.aws.settings.max_attempts):
        killed(workers, job)
    lines = run(workers, job)
    assert who(line(lines, "a worker was lost")) == (job.job_id, 3, 3)
    assert line(lines, "ended in place of a run")["left"] == "lost"
    assert line(lines, "finished")["code"] == "worker_lost"


def test_a_hand_off_is_no_loss(workers: Rig, drain: Callable[[], None]) -> None:
    job = workers.job("rounds", {"rounds": 2})
    HOOKS["plan-1"] = drain
    assert who(line(run(workers, job), "released")) == (job.job_id, 1, 1)
    lines = run(workers, job)
    assert line(lines, "claimed")["left"] == "handoff"
    assert not any(each["message"] == "a worker was lost" for each in lines)


@pytest.mark.parametrize("how", Release)
def test_each_way_of_letting_go_has_its_word(workers: Rig, how: Release) -> None:
    job = workers.job("rounds", {"rounds": 1})
    claim: Any = workers.aws.claims.claim(job.job_id, model=None)
    workers.aws.claims.release(claim, how, None)
    assert line(run(workers, job), "claimed")["left"] == how.value


def test_the_next_job_of_a_worker_says_nothing_of_the_one_before(workers: Rig) -> None:
    worker = workers.worker()
    first, second = workers.job("rounds", {"rounds": 1}), workers.job("rounds", {"rounds": 1})
    worker.process(first)
    worker.process(first)
    lines = worker.logged
    acknowledged = line(lines, "message acknowledged without a run")
    assert acknowledged["job_id"] == first.job_id
    assert not {"epoch", "attempt"} & acknowledged.keys()
    assert who(line(logged_by(workers, worker, second)[len(lines) :], "claimed")) == (second.job_id, 1, 1)
