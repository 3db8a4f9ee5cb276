"""An owner that is erased: nothing of them is left anywhere, and everything of others is as it was."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from langgraph.config import get_stream_writer

from graphjobs.admin.owner_erasure import Erased, OwnerErasure
from graphjobs.aws import clients
from graphjobs.aws.backend import Backend
from graphjobs.aws.job_items import Idempotency
from graphjobs.aws.viewer_counts import ViewerCounts
from graphjobs.core.job import Job, Status, new_job_id
from graphjobs.worker.store import GraphStore
from tests.support.faults import Faults, client_error
from tests.support.operator import share_clients
from tests.support.stores import Stored, empty, stored
from tests.support.worker import talks
from tests.support.worker.deleting import delete, later, reconcile
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig
from tests.support.worker.turns import Turns, turns

LARGE = random.Random(5).randbytes(400_000).hex()
ALICE, BOB = "user-1", "bob"


@pytest.fixture(autouse=True)
def nothing_stored(workers: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend is that of the module."""
    empty(workers.aws)
    share_clients(monkeypatch)
    workers.add_graphs({name: f"{talks.__name__}:{name}" for name in ("talk", "approval")})


def everything(workers: Rig, owner: str) -> list[Job]:
    """One of each that an owner may have; the jobs, of which the last but one is queued and the last waits."""
    aws, now = workers.aws, workers.aws.clock()
    template = aws.new_job(graph="rounds", owner=owner)
    empty(aws, of=template.job_id)
    large = replace(template, job_id=new_job_id(), owner_limit=100)
    body = json.dumps({"input": {"rounds": 3, "ballast": LARGE}})
    key = Idempotency(owner, f"key of {large.job_id}", "hash")
    aws.jobs.create(large, body, key, now, webhook="https://example.test/hook")
    HOOKS["plan-1"] = says_much
    run(workers, large)
    asked = owned(workers, "approval", owner)
    run(workers, asked)
    assert workers.row(asked).status is Status.INTERRUPTED
    talk = Talk(workers, owner)
    talk.run("one")
    talk.run(LARGE)
    queued, waiting = talk.submit("three"), talk.submit("four")
    deleted = owned(workers, "rounds", owner)
    delete(workers, deleted)
    counts = ViewerCounts(aws.dynamodb, "jobs")
    for subject in (large.job_id, f"owner\0{owner}"):
        counts.admit(subject, 5, now=now, stretch_ms=60_000)
    store = GraphStore("store")
    for namespace in ((owner,), ("facts", owner), ("memories", "of", owner, "deep")):
        for number in range(10):
            store.put(namespace, f"key {number}", {"text": "tea"})
    return [large, asked, deleted, queued, waiting]


def says_much() -> None:
    get_stream_writer()({"type": "much", "text": LARGE})


def owned(workers: Rig, graph: str, owner: str) -> Job:
    """A queued job, with its input."""
    job = workers.aws.new_job(graph=graph, owner=owner)
    body = {"input": {"rounds": 3} if graph == "rounds" else {"said": ["hello"]}}
    item = {"pk": {"S": f"input#{job.job_id}"}, "body": {"S": json.dumps(body)}}
    workers.aws.dynamodb.put_item(TableName="jobs", Item=item)
    return job


class Talk:
    """A conversation of `owner`."""

    def __init__(self, workers: Rig, owner: str) -> None:
        self.turns: Turns = turns(workers, "talk", durable=True)
        self.turns.owner = owner

    def submit(self, text: str) -> Job:
        return self.turns.say(text)

    def run(self, text: str) -> None:
        self.turns.run(self.submit(text))


def run(workers: Rig, job: Job) -> None:
    worker = workers.worker(durable_saver=True)
    worker.process(job)
    workers.retire(worker)


def erase(
    workers: Rig, owner: str = ALICE, *, wait_seconds: float = 0, sleep: Callable[[float], object] = time.sleep
) -> Erased:
    backend = Backend(workers.aws.settings, clock=workers.aws.clock)
    return OwnerErasure(backend, owner, wait_seconds=wait_seconds, sleep=sleep).run()


def content(found: Stored) -> Stored:
    """What is stored, but for the rows that stay as marks for a while."""
    return {where: item for where, item in found.items() if "deleting" not in item}


def test_nothing_of_the_owner_is_left_and_all_of_the_other_is(workers: Rig) -> None:
    everything(workers, BOB)
    before = stored(workers.aws)
    everything(workers, ALICE)
    kinds = {where[0] + "/" + where[1].split("/")[0].split("#")[0] for where in set(stored(workers.aws)) - set(before)}
    assert {f"jobs/{kind}" for kind in ("job", "input", "webhook", "idem", "thread", "owner", "viewers")} <= kinds
    assert {f"bucket/{kind}" for kind in ("inputs", "events", "checkpoints", "states")} <= kinds
    assert {where[0] for where in set(stored(workers.aws)) - set(before)} == {
        "jobs",
        "events",
        "checkpoints",
        "store",
        "bucket",
    }

    erased = erase(workers)
    assert erased.left == {}
    assert content(stored(workers.aws)) == content(before)
    later(workers)
    again = erase(workers)
    assert (again.marks, again.left) == ({}, {})
    assert stored(workers.aws) == before


def test_it_says_what_was_removed(workers: Rig) -> None:
    everything(workers, ALICE)
    later(workers)
    found = stored(workers.aws)
    kinds = [where[0] + "/" + where[1].split("#")[0] for where in found if where[0] == "jobs"]
    slots = sum(where[0] == "events" for where in found)
    removed = erase(workers).removed
    assert removed["items of the store"] == 30
    assert removed["idempotency keys"] == 1
    assert removed["webhooks"] == 1
    assert removed["inputs"] == kinds.count("jobs/input")
    assert removed["counters"] == 3
    assert removed["slots of events"] >= slots
    assert removed["checkpoint items"] > 0
    assert removed["states"] > 0
    assert removed["objects"] > 0


def test_the_reconciler_takes_away_the_marks(workers: Rig) -> None:
    everything(workers, ALICE)
    erased = erase(workers)
    assert erased.marks
    assert all(until > workers.aws.clock() for until in erased.marks.values())
    later(workers)
    for _ in range(2):
        reconcile(workers)
    assert stored(workers.aws) == {}


def test_a_running_job_ends_as_cancelled_first(workers: Rig) -> None:
    job = owned(workers, "rounds", ALICE)
    seen: list[Any] = []

    def erasing() -> None:
        seen.append(erase(workers).left)
        seen.append(workers.row(job).status)

    HOOKS["plan-1"] = erasing
    worker = workers.worker(durable_saver=True)  # which looks after the erasure has
    worker.process(job)
    assert seen == [{job.job_id: "its worker has not let go of it yet"}, Status.CANCELLING]
    assert workers.events(job)[-1]["data"]["status"] == "cancelled"
    assert erase(workers).left == {}
    later(workers)
    assert erase(workers).marks == {}
    assert stored(workers.aws) == {}


def test_it_waits_for_a_worker_and_looks_after_a_lost_one(workers: Rig) -> None:
    job = owned(workers, "rounds", ALICE)
    workers.aws.claims.claim(job.job_id, model=None)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        workers.aws.clock.advance(30)

    erased = erase(workers, wait_seconds=60, sleep=sleep)
    assert (erased.left, list(erased.marks)) == ({}, [job.job_id])
    assert len(slept) == 2, "until its lease has lapsed, and the reconciler would look"


@pytest.mark.parametrize("operation", ["scan", "query", "batch_write_item", "delete_item", "update_item", "get_item"])
@pytest.mark.parametrize("nth", [1, 6])
def test_a_run_that_is_cut_is_made_again(
    workers: Rig, monkeypatch: pytest.MonkeyPatch, operation: str, nth: int
) -> None:
    talk = Talk(workers, ALICE)
    talk.run("one")
    run(workers, owned(workers, "rounds", ALICE))
    GraphStore("store").put(("facts", ALICE), "tea", {"text": "tea"})
    for _ in range(2):
        faults = Faults(workers.aws.dynamodb)
        for _ in range(nth - 1):
            faults.before(operation, lambda: None)
        faults.fail(operation, client_error("AccessDeniedException"))
        with monkeypatch.context() as patch:
            patch.setattr(clients, "dynamodb", lambda config=None, faults=faults: faults.client)
            with suppress(ClientError):
                assert set(erase(workers).left.values()) <= {str(client_error("AccessDeniedException"))}
        later(workers)
    erase(workers)
    later(workers)
    assert (erase(workers).marks, stored(workers.aws)) == ({}, {})


def test_threads_whose_jobs_have_expired_go_too(workers: Rig) -> None:
    talk = Talk(workers, ALICE)
    talk.run("one")
    for where in [where for where in stored(workers.aws) if where[0] == "jobs" and "thread#" not in where[1]]:
        workers.aws.dynamodb.delete_item(TableName="jobs", Key={"pk": {"S": where[1]}})
    assert list(erase(workers).marks) == [talk.turns.thread_id]
    later(workers)
    assert erase(workers).removed["rows of threads"] == 1
    assert {where[0] for where in stored(workers.aws)} <= {"events"}, "those have no owner, and a TTL of a day"


def test_a_row_of_a_newer_release_is_left_and_named(workers: Rig) -> None:
    job = owned(workers, "rounds", ALICE)
    workers.aws.dynamodb.update_item(
        TableName="jobs",
        Key={"pk": {"S": f"job#{job.job_id}"}},
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"N": "99"}},
    )
    assert erase(workers).left == {job.job_id: "written by a newer release"}
    assert len(stored(workers.aws)) == 2


def test_a_name_that_others_contain_is_another(workers: Rig) -> None:
    store = GraphStore("store")
    for name in ("user-10", "a user-1", "USER-1"):
        store.put(("facts", name), "key", {"text": "tea"})
        owned(workers, "rounds", name)
    store.put(("facts",), ALICE, {"text": "a key is no namespace"})
    before = stored(workers.aws)
    assert erase(workers).removed.total() == 0
    assert stored(workers.aws) == before
