"""Answers to interrupted jobs: each names its question, and one that cannot be meant is not sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphjobs.client.client import Client
from graphjobs.client.errors import CannotAnswer
from tests.unit.client.log import JOB_ID
from tests.unit.client.service import Service, answer_json

Clients = Callable[..., Client]
ONE, TWO, OTHER = (f"{number:032x}" for number in (1, 2, 3))


def asking(service: Service, *ids: str, status: str = "interrupted") -> None:
    """Have the job ask the questions with these ids."""
    members = {"job_id": JOB_ID, "status": status, "graph": "approval", "thread_id": "t-1"}
    interrupts = [{"id": each, "value": f"question {each}"} for each in ids]
    service.script(f"/jobs/{JOB_ID}/status", answer_json({**members, "interrupts": interrupts}))


@pytest.mark.parametrize(
    ("asked", "value", "interrupt_id", "resume"),
    [
        ([ONE], "yes", None, {ONE: "yes"}),
        ([ONE], None, None, {ONE: None}),
        ([ONE], {"type": "approve"}, None, {ONE: {"type": "approve"}}),
        ([ONE], {}, None, {ONE: {}}),
        ([ONE], {ONE: "yes"}, None, {ONE: "yes"}),
        ([ONE], {OTHER: "a value"}, ONE, {ONE: {OTHER: "a value"}}),
        ([ONE, TWO], "yes", TWO, {TWO: "yes"}),
        ([ONE, TWO], {TWO: 2}, None, {TWO: 2}),
        ([ONE, TWO], {ONE: 1, TWO: 2}, None, {ONE: 1, TWO: 2}),
    ],
)
def test_an_answer_names_its_question(
    client_of: Clients, service: Service, asked: list[str], value: Any, interrupt_id: str | None, resume: Any
) -> None:
    asking(service, *asked)
    job = client_of().answer(JOB_ID, value, interrupt_id=interrupt_id, idempotency_key="k", timeout_seconds=9)
    assert job["status"] == "queued"
    sent = service.requests[-1]
    members = {"thread_id": "t-1", "graph": "approval", "timeout_seconds": 9}
    assert sent.json == {**members, "command": {"resume": resume}}
    assert sent.headers["idempotency-key"] == "k"


@pytest.mark.parametrize(
    ("asked", "value", "interrupt_id", "status", "text"),
    [
        ([], "yes", None, "running", "The job is running: it asks nothing"),
        ([], "yes", None, "interrupted", "was stopped and asks nothing"),
        ([ONE], "yes", TWO, "interrupted", f"does not ask {TWO}; it asks {ONE}"),
        ([ONE], {TWO: "yes"}, None, "interrupted", f"does not ask {TWO}"),
        ([ONE, TWO], {ONE: 1, OTHER: 2}, None, "interrupted", f"does not ask {OTHER}"),
        ([ONE, TWO], "yes", None, "interrupted", "asks 2 questions"),
        ([ONE, TWO], {"a": 1}, None, "interrupted", "asks 2 questions"),
    ],
)
def test_what_cannot_be_meant_is_not_sent(
    client_of: Clients,
    service: Service,
    asked: list[str],
    value: Any,
    interrupt_id: str | None,
    status: str,
    text: str,
) -> None:
    asking(service, *asked, status=status)
    with pytest.raises(CannotAnswer, match=text):
        client_of().answer(JOB_ID, value, interrupt_id=interrupt_id)
    assert [seen.method for seen in service.requests] == ["GET"]


def test_an_answer_may_change_the_state_beside_but_not_be_given_twice(client_of: Clients, service: Service) -> None:
    asking(service, ONE)
    client_of().answer(JOB_ID, "yes", command={"goto": "act"})
    assert service.requests[-1].json["command"] == {"resume": {ONE: "yes"}, "goto": "act"}
    asking(service, ONE)
    with pytest.raises(CannotAnswer, match="a resume of its own"):
        client_of().answer(JOB_ID, "yes", command={"resume": "no"})
    assert len(service.requests) == 3
