"""``POST /threads/{thread_id}/state``: a job that changes the state of a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from graphjobs.api.state_updates import StateUpdates
from graphjobs.aws.claims import Claim
from graphjobs.core.outcome import (
    CANCELLED,
    GRAPH_UNAVAILABLE,
    INVALID_UPDATE,
    Outcome,
    completed,
    failed,
    interrupted,
)
from graphjobs.core.run_request import RunRequest
from graphjobs.core.thread import Position
from tests.support.api.calls import Answer, Api
from tests.support.api.threads import CHAIN, with_states
from tests.unit.test_openapi import problems_of


def ending(service: Api, outcome: Outcome, *, made_at: str | None = None) -> Any:
    """What stands in for a pause of the API: meanwhile a worker takes the job to this end."""

    def work(seconds: float) -> None:
        for row in (item for item in service.items() if item.get("status", {}).get("S") == "queued"):
            claim = service.aws.claims.claim(row["job_id"]["S"], model=None)
            assert isinstance(claim, Claim)
            at = Position(claim.thread, made_at) if made_at else None
            service.aws.claims.finish(claim, replace(outcome, position=at), claim.tail)

    return work


@pytest.fixture
def update(service: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """``POST /threads/{id}/state``, while `work` happens in place of its pauses."""

    def call(thread_id: str, work: Callable[[float], None], **body: Any) -> Answer:
        updates = partial(StateUpdates, sleep=work)
        monkeypatch.setattr("graphjobs.api.create_job.StateUpdates", updates)
        return service.call("POST", f"/threads/{thread_id}/state", body=body or {"values": {"said": ["x"]}})

    return call


Update = Callable[..., Answer]


@pytest.mark.parametrize("outcome", [completed({}), interrupted({}, ())], ids=["at the end", "before a node"])
def test_an_update_is_answered_with_its_checkpoint(service: Api, update: Update, outcome: Outcome) -> None:
    thread_id = with_states(service.aws, *CHAIN)
    answer = update(thread_id, ending(service, outcome, made_at="c4"), values={"said": ["x"]}, as_node="answer")
    assert (answer.status, answer.body["checkpoint_id"]) == (200, "c4")
    assert answer.body["checkpoint"] == {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": "c4"}
    assert not problems_of("StateUpdated", answer.body)
    (job,) = [item for item in service.items() if item["pk"]["S"].startswith("job#")]
    request = RunRequest.from_json(service.aws.jobs.input(job["job_id"]["S"]) or "")
    assert request.state_update == {"values": {"said": ["x"]}, "as_node": "answer"}
    assert job["graph"]["S"] == "chat"


def test_an_update_may_name_where_it_begins(service: Api, update: Update) -> None:
    thread_id = with_states(service.aws, *CHAIN)
    places: list[dict[str, Any]] = [{"checkpoint_id": "c1"}, {"checkpoint": {"checkpoint_id": "c1"}}]
    for number, at in enumerate(places):
        seen: list[Any] = []

        def work(seconds: float, seen: list[Any] = seen, made: str = f"c{number + 4}") -> None:
            found = service.aws.dynamodb.scan(TableName="jobs")["Items"]
            seen += [item["start"] for item in found if "start" in item]
            ending(service, completed({}), made_at=made)(seconds)

        assert update(thread_id, work, values={"said": ["x"]}, **at).status == 200
        assert seen[0]["L"][1] == {"S": "c1"}
    assert update(thread_id, lambda seconds: None, values={}, checkpoint_id="c9").code == "checkpoint_not_found"


def test_an_update_that_takes_long_goes_on_as_a_job(service: Api, update: Update, monkeypatch: Any) -> None:
    thread_id = with_states(service.aws, *CHAIN)
    monkeypatch.setattr("graphjobs.api.create_job.ANSWER_SECONDS", 29)
    answer = update(thread_id, lambda seconds: None)
    assert (answer.status, answer.body["thread_id"]) == (202, thread_id)
    assert not problems_of("Accepted", answer.body)


def test_an_update_that_the_graph_does_not_take_is_the_callers_fault(service: Api, update: Update) -> None:
    thread_id = with_states(service.aws, *CHAIN)
    answer = update(thread_id, ending(service, failed(INVALID_UPDATE)))
    assert (answer.status, answer.code) == (400, "invalid_update")


@pytest.mark.parametrize("outcome", [failed(GRAPH_UNAVAILABLE), CANCELLED], ids=["failed", "cancelled"])
def test_an_update_that_fails_says_why(service: Api, update: Update, outcome: Outcome) -> None:
    answer = update(with_states(service.aws, *CHAIN), ending(service, outcome))
    assert (answer.status, answer.code) == (502, "update_failed")
    assert answer.body["error"]["code"] == (outcome.code or "cancelled")


def test_an_update_needs_a_graph_a_free_thread_and_something_to_change(service: Api) -> None:
    bare = service.call("POST", "/threads", body={}).body["thread_id"]
    assert service.call("POST", f"/threads/{bare}/state", body={"values": {}}).code == "unknown_graph"
    busy = with_states(service.aws, *CHAIN, turn=service.aws.new_job().job_id)
    assert service.call("POST", f"/threads/{busy}/state", body={"values": {}}).code == "thread_busy"
    for body in ({}, {"values": None}, {"values": 1}, {"values": {"n": 2**70}}, {"values": {}, "checkpoint": "c1"}):
        assert service.call("POST", f"/threads/{busy}/state", body=body).code == "invalid_request"
