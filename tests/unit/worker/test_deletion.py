"""A job that is deleted: nothing of it is left anywhere, whoever still writes for it, and nothing else is touched."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from langgraph.config import get_stream_writer

from graphjobs.aws.job_items import Idempotency
from graphjobs.aws.job_store import KeyReused
from graphjobs.core.job import Job, Status, new_job_id
from tests.support.faults import Faults, client_error
from tests.support.stores import empty, stored
from tests.support.worker.deleting import delete, later, reconcile
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig

NOISE = random.Random(1).randbytes(300_000).hex()
"""Large, however it is deflated."""


@pytest.fixture(autouse=True)
def nothing_stored(workers: Rig) -> None:
    """The backend is that of the module."""
    empty(workers.aws)


def whole_job(workers: Rig) -> Job:
    """A job with everything that a job may have: a large input and event, a webhook, a key."""
    now = workers.aws.clock()
    template = workers.aws.new_job(graph="rounds")
    empty(workers.aws, of=template.job_id)
    job = replace(template, job_id=new_job_id())
    body = json.dumps({"input": {"rounds": 3, "ballast": NOISE}})
    workers.aws.jobs.create(job, body, key_of(job), now, webhook="https://example.test/hook")
    return job


def key_of(job: Job) -> Idempotency:
    return Idempotency(job.owner, f"key of {job.job_id}", "hash")


def says_much() -> None:
    get_stream_writer()({"type": "much", "text": NOISE})


def run(workers: Rig, job: Job, **settings: Any) -> None:
    worker = workers.worker(durable_saver=True, **settings)
    worker.process(job)
    workers.retire(worker)


def of(workers: Rig, job: Job) -> set[tuple[str, ...]]:
    """Where something of `job` is."""
    record = key_of(job).record_key
    return {where for where in stored(workers.aws) if any(job.job_id in part or part == record for part in where)}


def test_nothing_is_left_of_a_job_and_its_neighbour_is_whole(workers: Rig) -> None:
    neighbour = whole_job(workers)
    HOOKS["plan-1"] = says_much
    run(workers, neighbour)
    before = stored(workers.aws)
    job = whole_job(workers)
    HOOKS["plan-1"] = says_much
    run(workers, job)
    places = {where[0] + "/" + where[1].split("/")[0].split("#")[0] for where in of(workers, job)}
    assert {"jobs/job", "jobs/input", "jobs/webhook", "jobs/idem", "bucket/inputs", "bucket/events"} <= places
    assert {where[0] for where in of(workers, job)} >= {"jobs", "events", "checkpoints", "bucket"}
    delete(workers, job)
    assert reconcile(workers) == {"erased": 1}
    assert of(workers, job) == {("jobs", f"job#{job.job_id}")}, "the row, until nobody can write for it any more"
    assert reconcile(workers) == {}
    later(workers)
    assert reconcile(workers) == {"erased": 1}
    assert stored(workers.aws) == before


def test_a_job_that_ended_long_ago_is_gone_at_once(workers: Rig) -> None:
    job = whole_job(workers)
    run(workers, job)
    later(workers)
    delete(workers, job)
    reconcile(workers)
    assert stored(workers.aws) == {}


def test_a_queued_job_ends_and_is_erased_and_its_message_does_nothing(workers: Rig) -> None:
    job = whole_job(workers)
    assert delete(workers, job).status is Status.CANCELLED
    run(workers, job)
    reconcile(workers)
    later(workers)
    reconcile(workers)
    assert stored(workers.aws) == {}


def test_a_running_job_ends_as_cancelled_and_is_erased(workers: Rig) -> None:
    job = whole_job(workers)

    def deleted() -> None:
        assert delete(workers, job).status is Status.CANCELLING
        assert reconcile(workers) == {}

    HOOKS["plan-2"] = deleted
    run(workers, job, watch_seconds=0.05)
    assert workers.row(job).status is Status.CANCELLED
    assert workers.events(job)[-1]["data"]["status"] == "cancelled", "who follows it is told"
    assert reconcile(workers) == {"erased": 1}
    later(workers)
    reconcile(workers)
    assert stored(workers.aws) == {}


def test_the_job_of_a_lost_worker_is_ended_and_erased(workers: Rig) -> None:
    job = whole_job(workers)
    claim = workers.aws.claims.claim(job.job_id, model=None)
    assert delete(workers, job).status is Status.CANCELLING
    assert claim
    workers.lapse()
    workers.aws.clock.advance(60)
    assert reconcile(workers) == {"ended": 1}
    assert reconcile(workers) == {"erased": 1}
    later(workers)
    reconcile(workers)
    assert stored(workers.aws) == {}


def test_what_a_zombie_writes_after_the_erasure_is_found(workers: Rig) -> None:
    """It slept while its job was deleted, ended and erased; nothing is in the way of its slots and checkpoints."""
    job = whole_job(workers)
    zombie = workers.worker(durable_saver=True)
    zombie.blind()

    def erased() -> None:
        workers.until_logged(job, "update")
        delete(workers, job)
        workers.lapse()
        workers.aws.clock.advance(60)
        assert reconcile(workers) == {"ended": 1}
        assert reconcile(workers) == {"erased": 1}

    HOOKS["plan-2"] = erased
    zombie.process(job)
    assert len(of(workers, job)) > 1, "it has written what nobody needs"
    later(workers)
    assert reconcile(workers) == {"erased": 1}
    assert stored(workers.aws) == {}


@pytest.mark.parametrize("operation", ["query", "batch_write_item", "delete_item", "update_item"])
@pytest.mark.parametrize("nth", range(1, 5))
def test_a_crash_at_any_call_leaves_the_rest_to_the_next_run(workers: Rig, operation: str, nth: int) -> None:
    job = whole_job(workers)
    HOOKS["plan-1"] = says_much
    run(workers, job)
    delete(workers, job)
    for moment in ("now", "later"):
        faults = Faults(workers.aws.dynamodb)
        for _ in range(nth - 1):
            faults.before(operation, lambda: None)
        faults.fail(operation, client_error("AccessDeniedException"))
        reconcile(workers, faults)
        if moment == "now":
            assert ("jobs", f"job#{job.job_id}") in of(workers, job), "else nobody finds what is left"
        reconcile(workers)
        later(workers)
    reconcile(workers)
    assert stored(workers.aws) == {}


def test_objects_that_s3_keeps_are_tried_again(workers: Rig, caplog: pytest.LogCaptureFixture) -> None:
    job = whole_job(workers)
    run(workers, job)
    delete(workers, job)
    s3 = Faults(workers.aws.s3)
    s3.fail("delete_objects", client_error("InternalError", 500))
    assert reconcile(workers, s3=s3) == {"failed": 1}
    assert reconcile(workers) == {"erased": 1}


def test_a_deleted_job_is_in_no_list_and_its_key_makes_no_other(workers: Rig) -> None:
    aws, job = workers.aws, whole_job(workers)
    run(workers, job)
    delete(workers, job)
    assert aws.jobs.lists.by_owner(job.owner, now=aws.clock(), limit=10, status=None, after=None) == ([], None)
    with pytest.raises(KeyReused):
        aws.jobs.recorded(key_of(job), aws.clock())
    later(workers)
    reconcile(workers)
    assert aws.jobs.recorded(key_of(job), aws.clock()) is None


def test_deleting_twice_is_deleting_once(workers: Rig) -> None:
    job = whole_job(workers)
    run(workers, job)
    once = delete(workers, job)
    workers.aws.clock.advance(1)
    assert delete(workers, job) == once


def test_a_turn_of_a_conversation_leaves_the_conversation_its_state(workers: Rig) -> None:
    workers.add_graphs({"asks": "tests.support.worker.talks:approval"})
    job = workers.job("asks", {"said": ["hello"]})
    run(workers, job)
    assert workers.row(job).status is Status.INTERRUPTED
    head = workers.aws.threads.get(job.thread)
    assert head is not None
    delete(workers, job)
    reconcile(workers)
    later(workers)
    reconcile(workers)
    left = {where[0] for where in stored(workers.aws)}
    assert left == {"jobs", "checkpoints"}
    assert workers.aws.threads.get(job.thread) == head
