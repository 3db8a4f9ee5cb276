"""The calls of the contract, their retries and their errors, over real HTTP."""

import re
import socket
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from graphjobs.client.client import Client
from graphjobs.client.errors import (
    ApiError,
    ConfigurationError,
    ContractViolation,
    ServiceUnreachable,
    api_error,
    retry_after_seconds,
)
from graphjobs.client.retry import RetryPolicy
from tests.unit.client.log import JOB_ID
from tests.unit.client.service import Answer, Service, answer_json, problem

Clients = Callable[..., Client]
UNAVAILABLE = problem(503, "temporarily_unavailable", "Try again.", Retry_After="2")


def test_submit_sends_what_is_given_and_nothing_else(client_of: Clients, service: Service) -> None:
    job = client_of().submit("환불?", graph="chat", metadata={"a": 1}, timeout_seconds=60)
    assert job == {"job_id": JOB_ID, "status": "queued"}
    (seen,) = service.requests
    assert seen.json == {"query": "환불?", "graph": "chat", "metadata": {"a": 1}, "timeout_seconds": 60}
    assert seen.headers["authorization"] == "Bearer good"
    assert uuid.UUID(seen.headers["idempotency-key"]).version == 4


def test_a_submission_is_retried_with_the_same_key(client_of: Clients, service: Service, waits: list[float]) -> None:
    service.script("/jobs", UNAVAILABLE, Answer(202, b'{"job', cut=True))
    assert client_of().submit(input={"n": 1})["job_id"] == JOB_ID
    assert len({seen.headers["idempotency-key"] for seen in service.requests}) == 1
    assert [seen.json for seen in service.requests] == [{"input": {"n": 1}}] * 3
    assert waits == [2.0, 0.0]


def test_two_submissions_have_two_keys_and_a_given_key_is_kept(client_of: Clients, service: Service) -> None:
    client = client_of()
    client.submit("a")
    client.submit("a")
    client.submit("a", idempotency_key="mine")
    first, second, third = (seen.headers["idempotency-key"] for seen in service.requests)
    assert first != second
    assert third == "mine"


@pytest.mark.parametrize("key", ["", "환불", "two\nlines", " padded"])
def test_a_key_that_no_header_carries_is_refused(client_of: Clients, key: str) -> None:
    with pytest.raises(ConfigurationError, match="idempotency key"):
        client_of().submit("a", idempotency_key=key)


def test_retries_are_bounded(client_of: Clients, service: Service, waits: list[float]) -> None:
    service.script("/jobs", *[UNAVAILABLE] * 9)
    with pytest.raises(ApiError) as failed:
        client_of().submit("a")
    assert failed.value.status == 503
    assert len(service.requests) == 4
    assert waits == [2.0] * 3


def test_whoever_wants_to_know_is_told_of_each_retry(client_of: Clients, service: Service) -> None:
    told: list[tuple[str, int]] = []
    client = client_of(on_retry=lambda error, failures: told.append((str(error), failures)))
    service.script(f"/jobs/{JOB_ID}/status", UNAVAILABLE, UNAVAILABLE)
    client.status(JOB_ID)
    service.script(f"/stream/{JOB_ID}", UNAVAILABLE)
    list(client.stream(JOB_ID))
    text = "Try again. (503 temporarily_unavailable)"
    assert told == [(text, 1), (text, 2), (text, 1)]


def test_members_of_later_releases_are_sent_as_they_are(client_of: Clients, service: Service) -> None:
    client_of().submit(thread_id="t", command={"resume": {"ok": True}}, stream_mode=["values"], durability=None)
    assert service.requests[0].json == {
        "thread_id": "t",
        "command": {"resume": {"ok": True}},
        "stream_mode": ["values"],
    }


def test_the_other_calls(client_of: Clients, service: Service) -> None:
    client = client_of()
    assert client.status(JOB_ID)["status"] == "completed"
    assert client.cancel(JOB_ID)["status"] == "cancelling"
    assert client.list(status="completed", limit=5)["next_cursor"] == "more"
    assert client.stream_ticket(JOB_ID)["stream_url"].endswith("?ticket=secret")
    assert service.requests[2].path == "/jobs?status=completed&limit=5"
    assert client.revoke_tickets(JOB_ID) == {"job_id": JOB_ID, "tickets_revoked": 1}
    deleted = client.delete(JOB_ID)
    assert deleted and deleted["status"] == "completed"


def test_an_administrator_lists_the_jobs_of_an_owner(client_of: Clients, service: Service) -> None:
    assert client_of().list(owner="auth0|ann", cursor="more")["next_cursor"] == "more"
    assert service.requests[0].path == "/jobs?cursor=more&owner=auth0%7Cann"


NO_SUCH_JOB = problem(404, "job_not_found", "There is no such job.")
LOST = [
    Answer(202, b'{"job_id', cut=True),
    problem(503, "temporarily_unavailable", "Try again."),
    answer_json({"message": "Internal Server Error"}, 500),
]


@pytest.mark.parametrize("lost", LOST, ids=["cut", "503", "500"])
def test_a_job_that_is_gone_when_its_deletion_is_tried_again_is_deleted(
    client_of: Clients, service: Service, lost: Answer
) -> None:
    """Given an answer that says nothing of what was done, when the next one is 404, then that is what was asked for."""
    service.script(f"/jobs/{JOB_ID}", lost, NO_SUCH_JOB)
    assert client_of().delete(JOB_ID) is None
    assert [(seen.method, seen.path) for seen in service.requests] == [("DELETE", f"/jobs/{JOB_ID}")] * 2


@pytest.mark.parametrize(
    "before",
    [[], [answer_json({"message": "Too Many Requests"}, 429)]],
    ids=["at-once", "after-429"],
)
def test_a_job_that_never_was_is_not_deleted(client_of: Clients, service: Service, before: list[Answer]) -> None:
    service.script(f"/jobs/{JOB_ID}", *before, NO_SUCH_JOB)
    with pytest.raises(ApiError) as refused:
        client_of().delete(JOB_ID)
    assert refused.value.code == "job_not_found"


def test_tickets_of_a_job_that_is_gone_are_not_said_to_be_revoked(client_of: Clients, service: Service) -> None:
    """A 404 at a second try is what a deletion asks for, and no other call."""
    service.script(f"/jobs/{JOB_ID}/stream-ticket", LOST[0], NO_SUCH_JOB)
    with pytest.raises(ApiError):
        client_of().revoke_tickets(JOB_ID)


def test_a_strange_job_id_stays_one_path_segment(client_of: Clients, service: Service) -> None:
    with pytest.raises(ApiError):
        client_of().status("../a b?c")
    assert service.requests[0].path == "/jobs/..%2Fa%20b%3Fc/status"


def test_a_fresh_token_is_asked_for_once_at_a_401_and_then_kept(client_of: Clients, service: Service) -> None:
    tokens = iter(["stale", "good"])
    client = client_of(token=lambda: next(tokens))
    client.status(JOB_ID)
    client.status(JOB_ID)
    sent = [seen.headers["authorization"] for seen in service.requests]
    assert sent == ["Bearer stale", "Bearer good", "Bearer good"]


@pytest.mark.parametrize("token", ["bad", lambda: "bad"])
def test_a_401_that_stays_is_the_gateways_error(client_of: Clients, token: object) -> None:
    with pytest.raises(ApiError) as refused:
        client_of(token=token).status(JOB_ID)
    assert (refused.value.status, refused.value.code) == (401, "unauthorized")
    assert refused.value.detail == "Unauthorized"


@pytest.mark.parametrize("token", ["", "geh\neim", "비밀"])
def test_a_token_that_no_header_carries_is_refused_without_showing_it(client_of: Clients, token: str) -> None:
    with pytest.raises(ConfigurationError, match="The token is empty or holds") as refused:
        client_of(token=token).status(JOB_ID)
    assert not token or token not in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>"])
def test_an_answer_that_is_no_object_is_an_error(client_of: Clients, service: Service, body: bytes) -> None:
    service.script(f"/jobs/{JOB_ID}/status", Answer(200, body))
    with pytest.raises(ContractViolation, match="JSON object"):
        client_of().status(JOB_ID)


def test_nobody_listening_is_one_line_with_the_origin(waits: list[float]) -> None:
    with socket.socket() as unheard:  # Bound and not listening: whoever connects is refused.
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        policy = RetryPolicy(max_failures=2)
        no_answer = pytest.raises(ServiceUnreachable, match=f"^No answer from {re.escape(url)}: ")
        with Client(url, "t", api_retries=policy, sleep=waits.append) as client, no_answer:
            client.status(JOB_ID)
    assert len(waits) == 1


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a", "http://", "http://a/?ticket=1"])
def test_an_address_has_to_be_one(url: str) -> None:
    with pytest.raises(ConfigurationError, match="address"):
        Client(url, "t")


def test_a_ticket_that_names_no_stream(client_of: Clients, service: Service) -> None:
    service.script(f"/jobs/{JOB_ID}/stream-ticket", answer_json({"stream_url": "http://127.0.0.1/x?ticket=1"}))
    with pytest.raises(ContractViolation, match="names no stream"):
        next(client_of(stream_url=None).stream(JOB_ID))


@pytest.mark.parametrize(
    ("status", "body", "code", "detail"),
    [
        (422, b'{"code": "key_reused", "detail": "Other body."}', "key_reused", "Other body."),
        (429, b'{"message": "Too Many Requests"}', "too_many_requests", "Too Many Requests"),
        (403, b'{"Message": "Forbidden"}', "forbidden", "Forbidden"),
        (502, b"<html>", "bad_gateway", "Bad Gateway"),
        (404, b"[]", "not_found", "Not Found"),
        (599, b"", "http_599", "HTTP 599"),
    ],
)
def test_every_form_of_error_has_status_code_and_detail(status: int, body: bytes, code: str, detail: str) -> None:
    error = api_error(status, body, None)
    assert (error.status, error.code, error.detail) == (status, code, detail)
    assert str(error) == f"{detail} ({status} {code})"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *((None, 0), ("5", 5), (" 5 ", 5), ("9999", 60), ("9" * 400, 60), ("-1", 0), ("soon", 0), ("٣", 0)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        pytest.param(format_datetime(datetime.now(UTC) + timedelta(hours=9)), 60, id="in nine hours"),
    ],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    assert retry_after_seconds(value) == seconds


def test_backoff_doubles_up_to_its_cap_on_top_of_what_was_asked_for() -> None:
    policy = RetryPolicy(base_seconds=1.0, cap_seconds=5.0, random=lambda: 1.0)
    assert [policy.delay(failures) for failures in (1, 2, 3, 4, 5000)] == [1, 2, 4, 5, 5]
    assert policy.delay(1, at_least=7.0) == 8.0
