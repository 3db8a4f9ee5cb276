"""Whose job it is, on every route in one table: a stranger learns and changes nothing, an owner is let in."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from graphjobs.aws.claims import Claim
from graphjobs.aws.job_store import JobStore
from graphjobs.core.api_functions import ROUTES
from graphjobs.core.job import Job, new_job_id
from graphjobs.core.outcome import completed
from tests.support.api.calls import Answer, Api
from tests.support.api.threads import with_a_state
from tests.support.stream.app import run, streams

JOB_ROUTES = [(method, path) for method, path, _ in ROUTES if "{job_id}" in path]
STREAM = ("GET", "/stream/{job_id}")
THREAD_ROUTES = [(method, path) for method, path, _ in ROUTES if "{thread_id}" in path]
OTHER_ROUTES = [("POST", "/jobs"), ("GET", "/jobs"), ("POST", "/threads")]

STATES: dict[str, Callable[[Api, Job], object]] = {
    "queued": lambda service, job: None,
    "running": lambda service, job: service.aws.claims.claim(job.job_id, model=None),
    "completed": lambda service, job: complete(service, job),
}


def complete(service: Api, job: Job) -> None:
    claim = service.aws.claims.claim(job.job_id, model=None)
    assert isinstance(claim, Claim)
    service.aws.claims.finish(claim, completed("private words"), claim.tail)


def call(service: Api, route: tuple[str, str], job_id: str, user: str) -> Answer:
    return service.call(route[0], route[1].format(job_id=job_id), user=user)


def test_the_table_has_every_route() -> None:
    known = [*JOB_ROUTES, *THREAD_ROUTES, *OTHER_ROUTES]
    assert sorted(known) == sorted((method, path) for method, path, _ in ROUTES)


# Names that might be taken for the owner's by a comparison that is not exact.
STRANGERS = ["user-2", "user-1 ", "USER-1", "user-", "user-1\0", "user-１"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("route", JOB_ROUTES, ids=lambda route: route[1])
def test_a_stranger_is_told_what_is_told_of_no_job(service: Api, route: tuple[str, str], state: str) -> None:
    job = service.aws.new_job(owner="user-1")
    STATES[state](service, job)
    before = (service.items(), service.aws.events(job.job_id))
    missing = call(service, route, new_job_id(), "user-2")
    assert (missing.status, missing.code) == (404, "job_not_found")
    for stranger in STRANGERS:
        assert call(service, route, job.job_id, stranger) == missing, stranger
    assert (service.items(), service.aws.events(job.job_id)) == before
    assert call(service, route, job.job_id, "user-1").status in (200, 202)


UPDATE = ("POST", "/threads/{thread_id}/state")
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/threads/{thread_id}"): {"metadata": {"mine": 1}},
    ("POST", "/threads/{thread_id}/state/checkpoint"): {"checkpoint": {"checkpoint_id": "c1"}},
    ("POST", "/threads/{thread_id}/history"): {},
    UPDATE: {"values": {"said": ["mine"]}},
}


@pytest.mark.parametrize("route", THREAD_ROUTES, ids=lambda route: " ".join(route))
def test_a_stranger_is_told_of_a_thread_what_is_told_of_none(
    service: Api, route: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = with_a_state(service.aws, owner="user-1")
    before = service.items()

    def ask(named: str, user: str) -> Answer:
        path = route[1].format(thread_id=named, checkpoint_id="c1")
        return service.call(route[0], path, body=BODIES.get(route), user=user)

    missing = ask(str(uuid.uuid4()), "user-2")
    assert (missing.status, missing.code) == (404, "thread_not_found")
    for stranger in STRANGERS:
        assert ask(thread_id, stranger) == missing, stranger
    assert service.items() == before
    if route == UPDATE:
        monkeypatch.setattr("graphjobs.api.create_job.ANSWER_SECONDS", 29)  # nobody takes the job
    assert ask(thread_id, "user-1").status in (200, 202, 204)


def test_a_stranger_cannot_take_a_threads_id(service: Api) -> None:
    thread_id = with_a_state(service.aws, owner="user-1")
    for body in ({"thread_id": thread_id}, {"thread_id": thread_id, "if_exists": "do_nothing"}):
        assert service.call("POST", "/threads", body=body, user="user-2").code == "thread_not_found"
    job = service.aws.new_job(owner="user-1")
    assert service.call("POST", "/threads", body={"thread_id": job.thread}, user="user-2").code == "thread_not_found"


def test_a_list_holds_nothing_of_a_stranger(service: Api) -> None:
    service.aws.new_job(owner="user-1")
    for stranger in STRANGERS:
        assert service.call("GET", "/jobs", user=stranger).body["jobs"] == [], stranger
    assert len(service.call("GET", "/jobs", user="user-1").body["jobs"]) == 1


def test_a_key_of_a_stranger_finds_no_job(service: Api) -> None:
    mine = service.submit(user="user-1", key="k").body["job_id"]
    theirs = [service.submit(user=stranger, key="k") for stranger in STRANGERS]
    assert {answer.status for answer in theirs} == {202}
    assert mine not in {answer.body["job_id"] for answer in theirs}


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("after", ["", "?after=1", "?after=999"])
def test_a_stream_of_a_stranger_is_told_what_is_told_of_no_job(stranger: str, after: str) -> None:
    async def work() -> None:
        script = app.job(owner="user-1")
        script.done("private words")
        answers = [
            await app.request(f"/stream/{job_id}{after}", app.bearer(stranger)).end()
            for job_id in (script.job_id, new_job_id())
        ]
        assert answers[0].problem() == answers[1].problem() == (404, "job_not_found")
        assert (answers[0].headers, answers[0].body) == (answers[1].headers, answers[1].body)
        assert not app.log.calls, "the log of a stranger's job is not read"
        assert len((await app.request(f"/stream/{script.job_id}", app.bearer("user-1")).end()).events) == 2

    with streams() as app:
        run(work())


ODD_IDS = [
    *("job-1", "input#", "../jobs", "job%00", "%2e%2e", "job-%0d%0aset-cookie:x", "idem", "{job_id}", "*", "job%23x"),
    *("job-00000000-0000-0000-0000-00000000000G", "%EF%BC%91", "'%20OR%201=1%20--", "job-" + "a" * 5000),
]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_an_id_that_is_none_is_never_looked_up(service: Api, odd: str) -> None:
    service.aws.new_job()
    for method, path in JOB_ROUTES:
        service.forget_calls()
        try:
            answer = service.call(method, path.format(job_id=odd))
        except LookupError:
            continue  # no route at all: our 404
        assert answer.status == 404 and not service.calls(), (method, odd)


def test_no_item_but_a_row_is_taken_for_one(service: Api) -> None:
    """Inputs and idempotency records share the table with the rows."""
    answer = service.submit(key="k")
    keys = [item["pk"]["S"] for item in service.items()]
    assert len(keys) == 3
    store: Any = JobStore(service.aws.dynamodb, "jobs")
    job_id = answer.body["job_id"]
    for key in keys:
        for name in (key, key.partition("#")[2]):
            found = store.get(name)
            assert (found is not None) == (name == job_id), json.dumps(name)
