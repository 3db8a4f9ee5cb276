"""Requests that are refused: each with its exact status and code, and with nothing stored or lost by it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest

from tests.e2e.user import User, at

pytestmark = pytest.mark.e2e

UNKNOWN_JOB = f"job-{uuid.UUID('00000000-0000-4000-8000-000000000000')}"
JSON_TYPE = {"Content-Type": "application/json"}

BODIES: dict[str, tuple[bytes, int, str]] = {
    "no body": (b"", 400, "invalid_request"),
    "not JSON": (b"{query: hello}", 400, "invalid_json"),
    "half of it": (b'{"query": "hel', 400, "invalid_json"),
    "not UTF-8": (b'{"query": "\xff\xfe"}', 400, "invalid_json"),
    "nested too deep": (b"[" * 50_000, 400, "invalid_json"),
    "input nested too deep": (b'{"input": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}", 400, "invalid_request"),
    "a number of 5,000 digits": (b'{"query": "q", "timeout_seconds": ' + b"9" * 5_000 + b"}", 400, "invalid_json"),
    "a list": (b'["hello"]', 400, "invalid_request"),
    "a text": (b'"hello"', 400, "invalid_request"),
    "null": (b"null", 400, "invalid_request"),
    "nothing asked": (b"{}", 400, "invalid_request"),
    "empty query": (b'{"query": ""}', 400, "invalid_request"),
    "query is a number": (b'{"query": 5}', 400, "invalid_request"),
    "query is a list": (b'{"query": ["hello"]}', 400, "invalid_request"),
    "metadata is a text": (b'{"query": "q", "metadata": "m"}', 400, "invalid_request"),
    "graph is a number": (b'{"query": "q", "graph": 1}', 400, "invalid_request"),
    "NaN": (b'{"input": {"n": NaN}}', 400, "invalid_request"),
    "half a surrogate pair": (b'{"query": "\\ud800"}', 400, "invalid_request"),
    "unknown graph": (b'{"query": "q", "graph": "nope"}', 400, "unknown_graph"),
    "unknown member": (b'{"query": "q", "qury": "q"}', 400, "invalid_request"),
    "timeout 0": (b'{"query": "q", "timeout_seconds": 0}', 400, "invalid_request"),
    "timeout -1": (b'{"query": "q", "timeout_seconds": -1}', 400, "invalid_request"),
    "timeout a text": (b'{"query": "q", "timeout_seconds": "10"}', 400, "invalid_request"),
    "timeout a fraction": (b'{"query": "q", "timeout_seconds": 1.5}', 400, "invalid_request"),
    "timeout true": (b'{"query": "q", "timeout_seconds": true}', 400, "invalid_request"),
    "somebody else": (b'{"query": "q", "user_id": "user-2"}', 403, "user_mismatch"),
    "6 MB": (json.dumps({"query": "q" * 6_000_000}).encode(), 413, "body_too_large"),
}


def check_problem(response: httpx.Response, status: int, code: str) -> None:
    """An RFC 9457 body of exactly this status and code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    problem = response.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]
    assert problem["title"]


def stored(user: User) -> tuple[int | None, str | None]:
    """What tells whether anything was stored: the number of items, where it can be seen, and the newest job."""
    return user.target.tables.items() if user.target.tables else None, user.newest()


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_and_stores_nothing(user: User, name: str) -> None:
    body, status, code = BODIES[name]
    before = stored(user)
    check_problem(user.call("POST", "/jobs", content=body, headers=JSON_TYPE), status, code)
    assert stored(user) == before


def test_after_all_refusals_a_good_request_works(user: User) -> None:
    for body, status, _ in BODIES.values():
        assert user.call("POST", "/jobs", content=body, headers=JSON_TYPE).status_code == status
    assert user.finished(user.start(query="hello"))[-1]["data"]["status"] == "completed"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", '{"query": "q"}'),
        ("application/xml", '{"query": "q"}'),
        ("application/x-www-form-urlencoded", '{"query": "q"}'),
        ("application/x-www-form-urlencoded", "query=q"),
        (
            "multipart/form-data; boundary=x",
            '--x\r\nContent-Disposition: form-data; name="query"\r\n\r\nq\r\n--x--\r\n',
        ),
    ],
)
def test_another_media_type_is_refused(user: User, content_type: str, body: str) -> None:
    before = stored(user)
    response = user.call("POST", "/jobs", content=body.encode(), headers={"Content-Type": content_type})
    check_problem(response, 415, "unsupported_media_type")
    assert stored(user) == before


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "caf\u00e9"])
def test_a_malformed_idempotency_key_is_refused(user: User, key: str) -> None:
    before = stored(user)
    headers = {"Idempotency-Key": key.encode()}
    merged: Any = {**{name: value.encode() for name, value in user.bearer.items()}, **headers}
    response = user.http.post(user.target.api_url + "/jobs", json={"query": "q"}, headers=merged)
    check_problem(response, 400, "invalid_idempotency_key")
    assert stored(user) == before


def test_the_same_key_and_body_give_the_same_job_once(user: User, stranger: User) -> None:
    """Given a key, when the request is sent again, then 200 and the first job; another user has the key free."""
    key = str(uuid.uuid4())
    first = user.submit(key=key, query="hello", metadata={"a": 1, "b": 2})
    before = stored(user)
    text = b'{ "metadata": {"b": 2, "a": 1},  "query": "hello" }'
    for content in (text, text):
        again = user.call("POST", "/jobs", content=content, headers={**JSON_TYPE, "Idempotency-Key": key})
        assert again.status_code == 200
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["job_id"] == first["job_id"]
        assert again.json()["created_at"] == first["created_at"]
    assert stored(user) == before
    user.finished(first["job_id"])
    after_end = user.call("POST", "/jobs", content=text, headers={**JSON_TYPE, "Idempotency-Key": key})
    assert (after_end.status_code, after_end.json()["status"]) == (200, "completed")
    assert stranger.submit(key=key, query="hello")["job_id"] != first["job_id"]


def test_the_same_key_with_another_body_is_refused(user: User) -> None:
    key = str(uuid.uuid4())
    first = user.submit(key=key, query="hello")
    before = stored(user)
    headers = {"Idempotency-Key": key}
    check_problem(user.call("POST", "/jobs", json={"query": "other"}, headers=headers), 422, "idempotency_key_reused")
    assert stored(user) == before
    assert user.finished(first["job_id"])[-1]["data"]["status"] == "completed"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/nothing"), ("PUT", "/jobs"), ("DELETE", "/jobs"), ("GET", "/jobs/x"), ("POST", "/jobs/")],
)
def test_an_unknown_route_or_method_is_not_found(user: User, method: str, path: str) -> None:
    answer = user.call(method, path)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"}), "the gateway's own"


def test_the_stream_knows_one_route_and_one_method(user: User) -> None:
    job_id = user.start(query="hello")
    response = user.http.post(f"{user.target.stream_url}/stream/{job_id}", headers=user.bearer)
    check_problem(response, 405, "method_not_allowed")
    assert "GET" in response.headers["allow"]
    check_problem(user.http.get(f"{user.target.stream_url}/nothing", headers=user.bearer), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_request"),
        ("limit=101", "invalid_request"),
        ("limit=x", "invalid_request"),
        ("status=lost", "invalid_request"),
        ("cursor=x", "invalid_cursor"),
        ("cursor=e30", "invalid_cursor"),
    ],
)
def test_a_bad_list_is_refused(user: User, query: str, code: str) -> None:
    check_problem(user.call("GET", f"/jobs?{query}"), 400, code)


@pytest.mark.parametrize("cursor", ["abc", "-1", "+1", "1.0", "1e3", "0x1", "1 2", "9" * 30])
@pytest.mark.parametrize("where", ["last_event_id", "after"])
def test_a_malformed_cursor_is_refused(user: User, finished_job: str, where: str, cursor: str) -> None:
    with user.stream(finished_job, **at(where, cursor)) as connection:
        connection.response.read()
        check_problem(connection.response, 400, "invalid_cursor")


@pytest.mark.parametrize("where", ["last_event_id", "after"])
def test_a_cursor_beyond_the_log_is_refused(user: User, finished_job: str, where: str) -> None:
    last = user.status(finished_job)["last_seq"]
    for cursor in (last + 1, 99_999, 10**14):
        with user.stream(finished_job, **at(where, cursor)) as connection:
            connection.response.read()
            check_problem(connection.response, 400, "cursor_too_high")


def test_the_header_wins_over_the_address(user: User, finished_job: str) -> None:
    """Given both cursors, as a browser that reconnects sends them, then the header counts, right or wrong."""
    with user.stream(finished_job, last_event_id=3, after=1) as connection:
        assert connection.rest().events[0]["seq"] == 4
    with user.stream(finished_job, last_event_id=3, after="abc") as connection:
        assert connection.rest().events[0]["seq"] == 4
    with user.stream(finished_job, last_event_id="abc", after=1) as connection:
        connection.response.read()
        check_problem(connection.response, 400, "invalid_cursor")


@pytest.fixture
def finished_job(user: User) -> str:
    """A job that has ended; one for all tests of a session."""
    cached: str | None = _FINISHED.get(user.target.api_url)
    if cached is None:
        cached = user.start(query="hello")
        user.finished(cached)
        _FINISHED[user.target.api_url] = cached
    return cached


_FINISHED: dict[str, str] = {}
