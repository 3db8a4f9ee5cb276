"""What an administrator may do with what is another's, on every route in one table, and that each use leaves a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphjobs.auth.administrators import Administrators
from graphjobs.core.api_functions import ROUTES
from graphjobs.core.job import new_job_id
from tests.support.api.calls import Answer, Api, api
from tests.support.api.output import Output
from tests.support.api.threads import with_a_state
from tests.support.backend import Backend
from tests.support.stream.app import run, streams
from tests.unit.api.test_owner_isolation import BODIES, JOB_ROUTES, STATES, THREAD_ROUTES, UPDATE
from tests.unit.api.test_owner_isolation import OTHER_ROUTES as WITHOUT_AN_ID

Route = tuple[str, str]

GROUPS = {"cognito:groups": ["staff", "graphjobs-admins"]}
ALMOST = {"cognito:groups": ["staff graphjobs-admins", "graphjobs-admin", "[graphjobs-admins]"]}
SETTING = {"GRAPHJOBS_ADMIN_CLAIM": "cognito:groups", "GRAPHJOBS_ADMIN_VALUE": "graphjobs-admins"}

JOB_ACTIONS = {
    ("GET", "/jobs/{job_id}/status"): "status",
    ("POST", "/jobs/{job_id}/cancel"): "cancel",
    ("DELETE", "/jobs/{job_id}"): "delete",
    ("POST", "/jobs/{job_id}/stream-ticket"): "ticket",
    ("DELETE", "/jobs/{job_id}/stream-ticket"): "revoke tickets",
}
THREAD_ACTIONS = {
    ("GET", "/threads/{thread_id}"): "thread",
    ("GET", "/threads/{thread_id}/state"): "state",
    ("GET", "/threads/{thread_id}/state/{checkpoint_id}"): "state",
    ("POST", "/threads/{thread_id}/state/checkpoint"): "state",
    ("GET", "/threads/{thread_id}/history"): "history",
    ("POST", "/threads/{thread_id}/history"): "history",
}
THE_OWNERS_ALONE = [("PATCH", "/threads/{thread_id}"), ("DELETE", "/threads/{thread_id}"), UPDATE]


@pytest.fixture
def administered(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The functions where there are administrators."""
    with api(aws, monkeypatch, **SETTING) as service:
        yield service


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Output:
    """What the functions that know administrators log."""
    output = Output(monkeypatch)
    for name in ("cancel_job", "job_status", "list_jobs", "stream_ticket", "threads"):
        output.of(name)
    return output


def uses(audit: Output) -> list[dict[str, Any]]:
    """The lines of the right's uses, without what every line has."""
    names = ("administrator", "action", "job_id", "thread_id", "owner")
    lines = [line for line in audit.lines() if line["message"] == "administrator"]
    return [{name: line[name] for name in names if name in line} for line in lines]


def test_the_tables_have_every_route() -> None:
    known = [*JOB_ACTIONS, *THREAD_ACTIONS, *THE_OWNERS_ALONE, *WITHOUT_AN_ID]
    assert sorted(known) == sorted((method, path) for method, path, _ in ROUTES)


def of_job(service: Api, route: Route, job_id: str, user: str, claims: dict[str, Any]) -> Answer:
    return service.call(route[0], route[1].format(job_id=job_id), user=user, claims=claims)


def of_thread(service: Api, route: Route, thread_id: str, user: str, claims: dict[str, Any]) -> Answer:
    path = route[1].format(thread_id=thread_id, checkpoint_id="c1")
    return service.call(route[0], path, body=BODIES.get(route), user=user, claims=claims)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("route", JOB_ROUTES, ids=" ".join)
def test_an_administrator_is_answered_about_any_job_and_nobody_else_is(
    administered: Api, audit: Output, route: Route, state: str
) -> None:
    job = administered.aws.new_job(owner="user-1")
    STATES[state](administered, job)
    before = (administered.items(), administered.aws.events(job.job_id))
    for claims in ({}, ALMOST):
        assert of_job(administered, route, job.job_id, "user-2", claims).code == "job_not_found"
    assert (administered.items(), administered.aws.events(job.job_id)) == before and uses(audit) == []
    assert of_job(administered, route, job.job_id, "boss", GROUPS).status in (200, 202)
    assert uses(audit) == [{"administrator": "boss", "action": JOB_ACTIONS[route], "job_id": job.job_id}]
    assert of_job(administered, route, new_job_id(), "boss", GROUPS).code == "job_not_found"
    assert len(uses(audit)) == 1


@pytest.mark.parametrize("route", THREAD_ACTIONS, ids=" ".join)
def test_an_administrator_reads_any_thread(administered: Api, audit: Output, route: Route) -> None:
    thread_id = with_a_state(administered.aws, owner="user-1")
    for claims in ({}, ALMOST):
        assert of_thread(administered, route, thread_id, "user-2", claims).code == "thread_not_found"
    assert uses(audit) == []
    answer = of_thread(administered, route, thread_id, "boss", GROUPS)
    assert answer.status == 200 and "private words" in answer.text
    assert uses(audit) == [{"administrator": "boss", "action": THREAD_ACTIONS[route], "thread_id": thread_id}]


@pytest.mark.parametrize("route", THE_OWNERS_ALONE, ids=" ".join)
def test_an_administrator_changes_no_thread_of_another(administered: Api, route: Route) -> None:
    thread_id = with_a_state(administered.aws, owner="user-1")
    before = administered.items()
    assert of_thread(administered, route, thread_id, "boss", GROUPS).code == "thread_not_found"
    assert administered.items() == before


@pytest.mark.parametrize("body", [{"query": "next"}, {"command": {"resume": "yes"}}, {"checkpoint_id": "c1"}])
def test_an_administrator_neither_speaks_nor_answers_for_another(administered: Api, body: dict[str, Any]) -> None:
    thread_id = with_a_state(administered.aws, owner="user-1")
    before = administered.items()
    answer = administered.call("POST", "/jobs", body={"thread_id": thread_id, **body}, user="boss", claims=GROUPS)
    assert answer.code == "thread_not_found" and administered.items() == before


def test_an_administrator_lists_the_jobs_of_anybody(administered: Api, audit: Output) -> None:
    jobs = {administered.aws.new_job(owner="user-1").job_id for _ in range(3)}
    administered.aws.new_job(owner="user-2")

    def page(query: str, user: str, claims: dict[str, Any]) -> Answer:
        return administered.call("GET", f"/jobs{query}", user=user, claims=claims)

    for claims in ({}, ALMOST):
        assert page("?owner=user-1", "user-2", claims).code == "owner_not_found"
    assert page("?owner=user-2", "user-2", {}).body == page("", "user-2", {}).body
    assert page("", "boss", GROUPS).body["jobs"] == [] and uses(audit) == []
    first = page("?owner=user-1&limit=2", "boss", GROUPS).body
    rest = page(f"?owner=user-1&limit=2&cursor={first['next_cursor']}", "boss", GROUPS).body
    assert {job["job_id"] for job in [*first["jobs"], *rest["jobs"]]} == jobs
    assert page("?owner=nobody", "boss", GROUPS).body["jobs"] == []
    listed = [use["owner"] for use in uses(audit) if use["administrator"] == "boss" and use["action"] == "list"]
    assert listed == ["user-1", "user-1", "nobody"] and len(uses(audit)) == 3
    for odd in ("", "x" * 513):
        assert page(f"?owner={odd}", "boss", GROUPS).code == "invalid_request"


def test_without_the_setting_nobody_is_an_administrator(service: Api, audit: Output) -> None:
    job = service.aws.new_job(owner="user-1")
    thread_id = with_a_state(service.aws, owner="user-1")
    before = service.items()
    for claims in ({}, GROUPS, {"": ""}):
        for route in JOB_ROUTES:
            assert of_job(service, route, job.job_id, "boss", claims).code == "job_not_found", route
        for route in THREAD_ROUTES:
            assert of_thread(service, route, thread_id, "boss", claims).code == "thread_not_found", route
        assert service.call("GET", "/jobs?owner=user-1", user="boss", claims=claims).code == "owner_not_found"
    assert service.items() == before and uses(audit) == []


def test_an_owner_who_is_an_administrator_too_uses_no_right(administered: Api, audit: Output) -> None:
    job = administered.aws.new_job(owner="boss")
    for route in JOB_ROUTES:
        assert of_job(administered, route, job.job_id, "boss", GROUPS).status in (200, 202, 404), route
    assert administered.call("GET", "/jobs?owner=boss", user="boss", claims=GROUPS).status == 200
    assert uses(audit) == []


def test_no_line_holds_a_token(administered: Api, audit: Output) -> None:
    job = administered.aws.new_job(owner="user-1")
    for route in JOB_ROUTES:
        of_job(administered, route, job.job_id, "boss", GROUPS)
    assert "administrator" in audit.text
    assert "Bearer" not in audit.text and ".signature" not in audit.text and "ticket=" not in audit.text


def test_a_stream_is_opened_by_an_administrator_and_by_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = Output(monkeypatch)

    async def work() -> None:
        script = app.job(owner="user-1")
        script.done("private words")
        address = f"/stream/{script.job_id}"
        for claims in ({}, ALMOST):
            assert (await app.request(address, app.bearer("user-2", **claims)).end()).problem()[0] == 404
        assert not app.log.calls and uses(audit) == []
        answer = await app.request(address, app.bearer("boss", **GROUPS)).end()
        if not named:
            assert answer.problem() == (404, "job_not_found") and uses(audit) == []
            return
        assert len(answer.events) == 2
        assert uses(audit) == [{"administrator": "boss", "action": "stream", "job_id": script.job_id}]
        assert (await app.request(f"/stream/{new_job_id()}", app.bearer("boss", **GROUPS)).end()).problem()[0] == 404
        assert len(uses(audit)) == 1

    for named in (True, False):
        admins = Administrators("cognito:groups", "graphjobs-admins") if named else Administrators()
        with streams(admins=admins) as app:
            audit = Output(monkeypatch)
            audit.of("stream")
            run(work())
