"""A thread that is deleted: it, its jobs and its states are gone, also while one of its jobs runs."""

from __future__ import annotations

import random

import pytest

from graphjobs.api.thread_rows import ThreadRows
from graphjobs.core.job import Status
from graphjobs.http.problem import Problem
from tests.support.faults import Faults, client_error
from tests.support.stores import empty, stored
from tests.support.worker import talks as worker_talks
from tests.support.worker.deleting import delete, later, reconcile
from tests.support.worker.gate import Died, Gate
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig
from tests.support.worker.turns import Turns, turns

LONG = random.Random(3).randbytes(20_000).hex()
"""Its states are objects in S3."""


@pytest.fixture(autouse=True)
def graphs(workers: Rig) -> None:
    empty(workers.aws)
    workers.add_graphs({name: f"{worker_talks.__name__}:{name}" for name in ("talk", "approval")})


def delete_thread(talk: Turns, owner: str = "user-1") -> None:
    aws = talk.workers.aws
    ThreadRows(aws.jobs, aws.threads, aws.clock).delete(owner, talk.thread_id)


def gone(workers: Rig) -> bool:
    """Whether nothing is left when the reconciler has had its time."""
    for _ in range(4):
        reconcile(workers)
        workers.lapse()
    later(workers)
    for _ in range(2):
        reconcile(workers)
    return stored(workers.aws) == {}


def test_jobs_states_checkpoints_and_row_are_erased_and_the_neighbour_is_whole(workers: Rig) -> None:
    neighbour = turns(workers, "talk", durable=True)
    neighbour.run(neighbour.say("hello"))
    before = stored(workers.aws)
    talk = turns(workers, "talk", durable=True)
    for text in ("one", LONG):
        talk.run(talk.say(text))
    kinds = {where[0] + "/" + where[1].split("/")[0].split("#")[0] for where in set(stored(workers.aws)) - set(before)}
    assert {"jobs/thread", "jobs/job", "checkpoints/thread", "bucket/states"} <= kinds
    delete_thread(talk)
    reconcile(workers)
    reconcile(workers)
    later(workers)
    for _ in range(2):
        reconcile(workers)
    assert stored(workers.aws) == before


def test_it_is_gone_for_everybody_at_once(workers: Rig) -> None:
    talk = turns(workers, "talk")
    talk.run(talk.say("one"))
    with pytest.raises(Problem, match="no such thread"):
        delete_thread(talk, "user-2")
    delete_thread(talk)
    for again in (lambda: delete_thread(talk), lambda: talk.say("two"), lambda: talk.say("two", if_not_exists=None)):
        with pytest.raises(Problem, match="no such thread"):
            again()
    assert gone(workers)
    assert talk.said(talk.say("anew"))[0] == "anew", "the id may be used again, for a thread that knows nothing"


def test_a_running_job_ends_as_cancelled_and_those_that_wait_too(workers: Rig) -> None:
    talk = turns(workers, "talk", durable=True)
    first, waiting = talk.say("one"), talk.say("two")
    HOOKS["answer"] = lambda: delete_thread(talk)
    worker = workers.worker(durable_saver=True, watch_seconds=0.05)
    worker.process(first)
    ended = next(line for line in worker.logged if line["message"] == "finished")
    assert (ended["job_id"], ended["status"]) == (first.job_id, "cancelled"), "its worker was asked, and has ended it"
    assert workers.row(first).status is Status.CANCELLED
    assert workers.events(first)[-1]["data"]["status"] == "cancelled"
    assert workers.row(waiting).status is Status.CANCELLING
    assert gone(workers)


def test_a_job_whose_worker_was_lost_is_ended(workers: Rig) -> None:
    talk = turns(workers, "talk", durable=True)
    job, gate = talk.say("one"), Gate()
    HOOKS["answer"] = gate.die
    with pytest.raises(Died):
        talk.run(job, gate)
    delete_thread(talk)
    workers.lapse()
    workers.aws.clock.advance(60)
    assert gone(workers)


def test_what_an_earlier_claim_saved_and_no_state_names_goes_too(workers: Rig) -> None:
    talk = turns(workers, "talk", durable=True)
    job, gate = talk.say("one"), Gate()
    HOOKS["listen"] = gate.die
    with pytest.raises(Died):
        talk.run(job, gate)
    workers.lapse()
    talk.run(job)
    assert any(where[1] == workers.row(job).checkpoint_thread(1) for where in stored(workers.aws))
    delete_thread(talk)
    reconcile(workers)
    reconcile(workers)
    assert not any(where[0] == "checkpoints" for where in stored(workers.aws)), "not only once the rows go"
    assert gone(workers)


def test_a_question_and_the_job_that_asked_it_go_together(workers: Rig) -> None:
    """The job was created without a thread; its thread was made when it asked."""
    job = workers.job("approval", {"said": ["hello"]})
    talk = Turns(workers, "approval", job.thread, durable=True)
    assert talk.run(job)["status"] == "interrupted"
    delete_thread(talk)
    assert gone(workers)


def test_states_of_jobs_that_were_deleted_before_go_with_the_thread(workers: Rig) -> None:
    talk = turns(workers, "talk", durable=True)
    first = talk.say("one")
    talk.run(first)
    talk.run(talk.say("two"))
    delete(workers, first)
    reconcile(workers)
    later(workers)
    reconcile(workers)
    assert talk.said(talk.say("three"))[0] == "one", "the conversation still knows what was said"
    delete_thread(talk)
    assert gone(workers)


@pytest.mark.parametrize("operation", ["query", "batch_write_item", "delete_item", "update_item"])
def test_a_crash_leaves_the_rest_to_the_next_run(workers: Rig, operation: str) -> None:
    talk = turns(workers, "talk", durable=True)
    talk.run(talk.say("one"))
    delete_thread(talk)
    for nth in range(1, 4):
        faults = Faults(workers.aws.dynamodb)
        for _ in range(nth):
            faults.before(operation, lambda: None)
        faults.fail(operation, client_error("AccessDeniedException"))
        reconcile(workers, faults)
    assert ("jobs", f"thread#{talk.thread_id}") in stored(workers.aws)
    assert gone(workers)
