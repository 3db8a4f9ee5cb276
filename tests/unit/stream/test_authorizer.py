"""The authorizer of an API Gateway: it lets pass what the stream would open, and what it cannot decide."""

from __future__ import annotations

from typing import Any

import pytest

from graphjobs.auth.principal import AuthUnavailable
from graphjobs.auth.tickets import Tickets
from graphjobs.core.job import new_job_id
from graphjobs.stream import authorizer
from tests.support.faults import client_error
from tests.support.issuer import NOW, Issuer
from tests.support.stream.app import Ring

ARN = "arn:aws:execute-api:eu-west-1:123456789012:abc/live/GET/stream/job"
JOB = new_job_id()


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Issuer:
    return Issuer()


@pytest.fixture
def ring() -> Ring:
    return Ring()


@pytest.fixture(autouse=True)
def wired(issuer: Issuer, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = (issuer.verifier(), Tickets(ring))
    monkeypatch.setattr(authorizer, "wiring", lambda: parts)
    monkeypatch.setattr(authorizer, "now_ms", lambda: NOW * 1000)


def effect(headers: Any = None, query: Any = None, job_id: str | None = JOB) -> str:
    """What is decided of one request."""
    path = None if job_id is None else {"job_id": job_id}
    event = {"methodArn": ARN, "pathParameters": path, "headers": headers, "queryStringParameters": query}
    answer = authorizer.handler(event, None)
    (statement,) = answer["policyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("execute-api:Invoke", ARN), "for this request and no other"
    assert answer["principalId"]
    return str(statement["Effect"])


def ticket(job_id: str = JOB, expires_at: int = NOW + 60) -> str:
    return Tickets(Ring()).issue(job_id, expires_at)


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_token_passes_whoever_owns_the_job(issuer: Issuer, name: str) -> None:
    assert effect({name: f"Bearer {issuer.token()}"}) == "Allow"


def test_a_ticket_of_the_job_passes() -> None:
    assert effect(query={"ticket": ticket(), "after": "3"}) == "Allow"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (None, None),
        ({}, {}),
        ({"authorization": "Basic YTpi"}, None),
        ({"authorization": ""}, {"after": "1"}),
        ({"authorization": "Bearer nonsense"}, None),
        (None, {"ticket": "nonsense"}),
        (None, {"ticket": ticket(new_job_id())}),
        (None, {"ticket": ticket(expires_at=NOW - 1)}),
        # A bearer token wins over a ticket, as it does at the stream.
        ({"authorization": "Bearer nonsense"}, {"ticket": ticket()}),
    ],
)
def test_anything_else_is_turned_away(headers: Any, query: Any) -> None:
    assert effect(headers, query) == "Deny"


@pytest.mark.parametrize("revoked", [1, 12])
def test_a_ticket_passes_whatever_its_number_of_revocations_is_but_that_number_is_signed(revoked: int) -> None:
    """Which number the row has, the stream looks up."""
    issued = Tickets(Ring()).issue(JOB, NOW + 60, revoked)
    assert effect(query={"ticket": issued}) == "Allow"
    kid, expires_at, _, signature = issued.split(".")
    for number in ([str(revoked + 1)], []):
        assert effect(query={"ticket": ".".join([kid, expires_at, *number, signature])}) == "Deny"


def test_a_ticket_without_a_job_is_turned_away() -> None:
    assert effect(query={"ticket": ticket()}, job_id=None) == "Deny"


def test_an_expired_token_is_turned_away(issuer: Issuer) -> None:
    assert effect({"authorization": f"Bearer {issuer.token(exp=NOW - 3600)}"}) == "Deny"


@pytest.mark.parametrize("error", [client_error("InternalServiceError", 500), AuthUnavailable("down")])
def test_what_cannot_be_decided_is_left_to_the_stream(ring: Ring, error: Exception) -> None:
    """It answers EventSource so that it comes back; an error of an authorizer would end it for good."""
    ring.failure = error
    assert effect(query={"ticket": ticket()}) == "Allow"


def test_keys_that_cannot_be_had_are_left_to_the_stream(issuer: Issuer) -> None:
    issuer.down = True
    assert effect({"authorization": f"Bearer {issuer.token()}"}) == "Allow"
