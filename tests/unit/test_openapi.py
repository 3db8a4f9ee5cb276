"""docs/openapi.json is true of the code: routes, codes, and the forms of what is answered and sent."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from graphjobs.api.job_request import JobRequest
from graphjobs.aws.claims import Claim
from graphjobs.core import lifecycle, outcome
from graphjobs.core.api_functions import ROUTES
from graphjobs.core.change import Situation
from graphjobs.core.event import OWN_TYPES, RESERVED_TYPES, Event
from graphjobs.core.job import JOB_ID, Job, Release, Status, new_job_id
from graphjobs.core.slot import Mark
from graphjobs.core.turns import NotJoined
from graphjobs.http.job_answer import accepted, summary
from graphjobs.http.problem import job_not_found, unavailable
from tests.support.backend import backend

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
SCHEMAS = DOCUMENT["components"]["schemas"]
METHODS = ("get", "post", "put", "delete", "patch")
JOB = Job(
    job_id=new_job_id(),
    owner="user-1",
    graph="chat",
    status=Status.QUEUED,
    created_at=1_800_000_000_000,
    deadline_at=1_800_003_600_000,
    expires_at=1_800_600_000,
)


def problems_of(name: str, value: object) -> list[str]:
    """What the schema `name` has against `value`."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


def sources() -> str:
    """The source text of all that answers requests."""
    paths = [*(ROOT / "src" / "graphjobs").rglob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """`node`, or what it refers to."""
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def documented_codes() -> set[tuple[int, str]]:
    """Every pair of status and code that some operation lists."""
    pairs = set()
    for path in DOCUMENT["paths"].values():
        for method in METHODS:
            for status, response in path.get(method, {}).get("responses", {}).items():
                schema = resolved(response).get("content", {}).get("application/problem+json", {}).get("schema")
                if schema:
                    pairs |= {(int(status), code) for code in schema["allOf"][1]["properties"]["code"]["enum"]}
    return pairs


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)


def test_every_route_of_the_deployment_is_documented_and_no_other() -> None:
    documented = {(method, path) for path, item in DOCUMENT["paths"].items() for method in METHODS if method in item}
    assert documented == {(method.lower(), path) for method, path, _ in ROUTES} | {("get", "/stream/{job_id}")}


def test_every_code_of_a_problem_is_documented_and_no_other() -> None:
    text = sources()
    raised = {(int(status), code) for status, code in re.findall(r"Problem\(\s*(\d+),\s*\"(\w+)\"", text)}
    raised |= {(401, code) for code in re.findall(r"AuthError\(\"(\w+)\"", text)}
    raised |= {(409, code.value) for code in NotJoined}
    assert len(raised) > 12
    assert documented_codes() == raised


def test_every_call_behind_the_gateway_lists_the_gateways_own_answers() -> None:
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item and path.startswith("/jobs"):
                responses = item[method]["responses"]
                assert {"401", "429", "500", "503"} <= set(responses), (method, path)
                gateway = resolved(responses["401"])["content"]["application/json"]["schema"]
                assert gateway == {"$ref": "#/components/schemas/GatewayMessage"}


def test_the_stream_lists_every_status_of_its_contract() -> None:
    responses = DOCUMENT["paths"]["/stream/{job_id}"]["get"]["responses"]
    assert {"200", "204", "400", "401", "404", "405", "500", "503"} <= set(responses)
    assert list(responses["200"]["content"]) == ["text/event-stream"]


def test_the_request_has_the_members_of_the_model() -> None:
    assert set(SCHEMAS["JobRequest"]["properties"]) == set(JobRequest.model_fields)


THREAD = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    ("body", "good"),
    [
        ({"query": "q"}, True),
        ({"input": {}}, True),
        ({"query": None, "input": {"a": [1]}}, True),
        ({"query": "q", "timeout_seconds": 1, "metadata": {}, "user_id": "u", "graph": "g"}, True),
        ({}, False),
        ({"query": None}, False),
        ({"query": ""}, False),
        ({"query": "q", "more": 1}, False),
        ({"query": "q", "timeout_seconds": 0}, False),
        ({"query": "q", "graph": "g" * 101}, False),
        ({"query": 1}, False),
        ({"query": " \n\u3000"}, False),
        *(({"input": value}, True) for value in ("text", 3, 0, False, [], [1, None], {"a": None})),
        ({"query": "q", "context": {"tone": "kind", "user_id": "u"}}, True),
        ({"query": "q", "context": [1]}, False),
        ({"query": "q", "config": {"recursion_limit": 5, "tags": ["a"], "configurable": {"model": "m"}}}, True),
        ({"query": "q", "config": {"recursion_limit": None, "tags": None, "configurable": None}}, True),
        ({"query": "q", "config": {"recursion_limit": 0}}, False),
        ({"query": "q", "config": {"tags": [1]}}, False),
        ({"query": "q", "config": {"metadata": {}}}, False),
        *(
            ({"query": "q", "config": {"configurable": {key: 1}}}, False)
            for key in ("thread_id", "job_id", "run_id", "graph_id", "user_id", "assistant_id", "checkpoint_ns", "__x")
        ),
        ({"query": "q", "config": {"configurable": {"langgraph_auth_user": 1}}}, False),
        ({"query": "q", "context": {"a": 1}, "config": {"configurable": {"b": 1}}}, False),
        ({"query": "q", "context": {}, "config": {"configurable": {"b": 1}}}, True),
        ({"query": "q", "context": {"a": 1}, "config": {"configurable": {}}}, True),
        ({"query": "q", "thread_id": THREAD}, True),
        ({"query": "q", "thread_id": "no uuid"}, False),
        ({"thread_id": THREAD}, True),
        ({"thread_id": THREAD, "query": "q", "multitask_strategy": "rollback", "if_not_exists": "create"}, True),
        ({"query": "q", "multitask_strategy": "reject"}, False),
        ({"query": "q", "checkpoint_id": "1f"}, False),
        ({"command": {"resume": None}, "thread_id": THREAD}, True),
        ({"command": {"resume": None}}, False),
        ({"command": {"goto": ["a", {"node": "b", "input": 1}]}}, True),
        ({"command": {}}, False),
        ({"query": "q", "interrupt_before": "*", "interrupt_after": ["a"]}, True),
        ({"query": "q", "interrupt_before": "a"}, False),
        ({"query": "q", "durability": "async"}, False),
        ({"query": "q", "after_seconds": 0}, True),
        ({"query": "q", "after_seconds": -1}, False),
    ],
)
def test_the_document_and_the_model_accept_the_same_bodies(body: dict[str, Any], good: bool) -> None:
    def model_accepts() -> bool:
        try:
            JobRequest.model_validate(body)
        except ValueError:
            return False
        return True

    assert (problems_of("JobRequest", body) == []) is good
    assert model_accepts() is good


@pytest.mark.parametrize("status", list(Status))
def test_what_is_said_of_a_job_is_as_documented(status: Status) -> None:
    job = replace(JOB, status=status, started_at=JOB.created_at, attempt=1)
    assert problems_of("JobSummary", summary(job)) == []
    assert set(summary(job)) == set(SCHEMAS["JobSummary"]["properties"])
    answer = accepted(job, "https://api.example.com", "https://stream.example.com/stream/j?ticket=k.1.s")
    assert problems_of("Accepted", answer) == []
    assert set(answer) == set(SCHEMAS["Accepted"]["properties"])
    assert problems_of("JobSummary", {**summary(job), "status": "paused"})


def test_a_problem_is_as_documented() -> None:
    for problem in (job_not_found(), unavailable()):
        assert problems_of("Problem", json.loads(problem.body())) == []


def test_names_and_ids_are_as_documented() -> None:
    assert SCHEMAS["JobId"]["pattern"] == f"^{JOB_ID.pattern}$"
    assert SCHEMAS["Status"]["enum"] == [status.value for status in Status]
    assert SCHEMAS["TerminalStatus"]["enum"] == [status.value for status in Status if status.terminal]
    assert set(SCHEMAS["JobError"]["properties"]["code"]["enum"]) == set(outcome.MESSAGES)


@pytest.mark.parametrize("code", [None, *outcome.MESSAGES])
def test_the_end_of_a_job_is_as_documented(code: str | None) -> None:
    ends = outcome.failed(code) if code else outcome.completed({"answer": 42})
    running = replace(JOB, status=Status.RUNNING, epoch=1)
    for kind, data in lifecycle.ending(Situation(running, None, JOB.created_at), ends).events:
        assert problems_of(f"{kind.capitalize()}Event", sent(kind, data)) == []
        assert problems_of("AnyEvent", sent(kind, data)) == []


def test_every_reserved_type_has_its_schema_and_is_no_name_for_a_node() -> None:
    assert {f"{kind.title().replace('_', '')}Event" for kind in OWN_TYPES} <= set(SCHEMAS)
    for kind in RESERVED_TYPES:
        assert problems_of("NamedEvent", sent(kind, {}))
    assert problems_of("AnyEvent", sent("sources", {"sources": []})) == []
    assert problems_of("AnyEvent", sent("token", {"text": 1}))


@pytest.mark.parametrize("reason", ["crash", "handoff"])
def test_a_log_over_two_workers_is_as_documented(reason: str) -> None:
    with backend() as aws:
        job = aws.new_job()
        first = aws.claims.claim(job.job_id, model="offline")
        assert isinstance(first, Claim)
        if reason == "handoff":
            aws.claims.release(first, Release.HANDOFF, Mark(first.thread, "checkpoint", 1))
        aws.clock.advance(aws.settings.lease_seconds + 1)
        second = aws.claims.claim(job.job_id, model="offline")
        assert isinstance(second, Claim)
        aws.claims.finish(second, outcome.failed(outcome.GRAPH_ERROR), second.tail)
        events = aws.events(job.job_id)
    assert [event["type"] for event in events] == ["metadata", "attempt", "error", "done"]
    assert events[1]["data"]["reason"] == reason
    for event in events:
        assert problems_of(f"{event['type'].capitalize()}Event", event) == []


def sent(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """The event as a client parses it."""
    event: dict[str, Any] = json.loads(Event(3, kind, "2026-11-24T07:26:31.919Z", data).line())
    return event
