"""What the API refuses, and how: every refusal is a problem with a stable code, and nothing is stored."""

from __future__ import annotations

import json

import pytest

from graphjobs.core.job import new_job_id
from tests.support.api.calls import Api, api
from tests.support.backend import Backend

LIMIT = 2048

INVALID: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "invalid_request"),
    "not JSON": (b"query=hello", "invalid_json"),
    "cut short": (b'{"query": "hel', "invalid_json"),
    "two values": (b'{"query": "a"} {"query": "b"}', "invalid_json"),
    "deep": (b"[" * 2000, "invalid_json"),
    "not UTF-8": (b'{"query": "\xff"}', "invalid_json"),
    "null": (b"null", "invalid_request"),
    "a list": (b'[{"query": "hello"}]', "invalid_request"),
    "a text": (b'"hello"', "invalid_request"),
    "a number": (b"17", "invalid_request"),
    "empty object": (b"{}", "invalid_request"),
    "only null": (b'{"query": null}', "invalid_request"),
    "empty query": (b'{"query": ""}', "invalid_request"),
    "query a number": (b'{"query": 17}', "invalid_request"),
    "query a list": (b'{"query": ["hello"]}', "invalid_request"),
    "unknown member": (b'{"query": "a", "qeury": "b"}', "invalid_request"),
    "input null": (b'{"input": null}', "invalid_request"),
    "query blank": (b'{"query": " "}', "invalid_request"),
    "context a list": (b'{"query": "a", "context": [1]}', "invalid_request"),
    "config with more": (b'{"query": "a", "config": {"callbacks": []}}', "invalid_request"),
    "input NaN": (b'{"input": {"a": NaN}}', "invalid_request"),
    "input infinite": (b'{"input": {"a": 1e999}}', "invalid_request"),
    "metadata infinite": (b'{"query": "a", "metadata": {"a": -Infinity}}', "invalid_request"),
    "metadata a text": (b'{"query": "a", "metadata": "b"}', "invalid_request"),
    "lone surrogate": (b'{"query": "\\ud800"}', "invalid_request"),
    "unknown graph": (b'{"query": "a", "graph": "other"}', "unknown_graph"),
    "graph by path": (b'{"query": "a", "graph": "../chat"}', "unknown_graph"),
    "empty graph": (b'{"query": "a", "graph": ""}', "invalid_request"),
    "long graph": (b'{"query": "a", "graph": "%s"}' % (b"g" * 101), "invalid_request"),
    "timeout 0": (b'{"query": "a", "timeout_seconds": 0}', "invalid_request"),
    "timeout negative": (b'{"query": "a", "timeout_seconds": -5}', "invalid_request"),
    "timeout a fraction": (b'{"query": "a", "timeout_seconds": 1.5}', "invalid_request"),
    "timeout 0.0": (b'{"query": "a", "timeout_seconds": 0.0}', "invalid_request"),
    "timeout just above": (b'{"query": "a", "timeout_seconds": 1.0000000001}', "invalid_request"),
    "timeout a text": (b'{"query": "a", "timeout_seconds": "60"}', "invalid_request"),
    "timeout true": (b'{"query": "a", "timeout_seconds": true}', "invalid_request"),
    "timeout endless": (b'{"query": "a", "timeout_seconds": Infinity}', "invalid_request"),
    "user_id empty": (b'{"query": "a", "user_id": ""}', "invalid_request"),
    "user_id a number": (b'{"query": "a", "user_id": 1}', "invalid_request"),
}


@pytest.mark.parametrize(("body", "code"), INVALID.values(), ids=INVALID)
def test_a_body_that_asks_for_no_job_is_400(service: Api, body: bytes, code: str) -> None:
    answer = service.call("POST", "/jobs", body=body, headers={"content-type": "application/json"})
    assert (answer.status, answer.code) == (400, code)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body["detail"].endswith(".") and "Traceback" not in answer.text
    assert not service.dynamodb.calls + service.sqs.calls


def test_an_invalid_member_is_named_and_not_quoted(service: Api) -> None:
    answer = service.submit(query="a", metadata="private words", extra=1)
    assert {error["at"] for error in answer.body["errors"]} == {"metadata", "extra"}
    assert "private words" not in answer.text


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "json"],
)
def test_another_media_type_is_415(service: Api, content_type: str) -> None:
    answer = service.call("POST", "/jobs", body=b'{"query": "a"}', headers={"content-type": content_type})
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert service.items() == []


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", ""])
def test_json_is_json_whatever_is_said_about_its_charset(service: Api, content_type: str) -> None:
    answer = service.call("POST", "/jobs", body=b'{"query": "a"}', headers={"content-type": content_type})
    assert answer.status == 202


def sized(size: int, char: str = "x") -> bytes:
    """A body of exactly this many bytes."""
    frame = len('{"query":""}')
    text = char * ((size - frame) // len(char.encode()))
    body = json.dumps({"query": text}, ensure_ascii=False, separators=(",", ":")).encode()
    return body + b" " * (size - len(body))


@pytest.mark.parametrize("char", ["x", "가"])
@pytest.mark.parametrize("base64", [False, True], ids=["text", "base64"])
def test_the_limit_is_on_the_bytes_that_the_caller_sent(
    aws: Backend, monkeypatch: pytest.MonkeyPatch, char: str, base64: bool
) -> None:
    """The HTTP API hands on as base64, a third longer, what it does not take for text."""
    monkeypatch.setattr("graphjobs.local.gateway.TEXT_TYPES", () if base64 else ("application/json",))
    with api(aws, monkeypatch, GRAPHJOBS_MAX_BODY_BYTES=str(LIMIT)) as service:
        for size in (LIMIT - 2, LIMIT - 1, LIMIT):
            assert service.call("POST", "/jobs", body=sized(size, char)).status == 202
        for size in (LIMIT + 1, LIMIT + 2, LIMIT + 3, LIMIT * 50):
            answer = service.call("POST", "/jobs", body=sized(size, char))
            assert (answer.status, answer.code) == (413, "body_too_large")
        assert sum(item["pk"]["S"].startswith("job#") for item in service.items()) == 3


def test_a_body_in_base64_is_read(service: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.local.gateway.TEXT_TYPES", ())
    answer = service.call("POST", "/jobs", body='{"query": "환불"}'.encode())
    assert answer.status == 202
    assert json.loads(service.aws.jobs.input(answer.body["job_id"]) or "") == {"query": "환불"}


ROUTES = [
    ("GET", "/jobs/{}/status"),
    ("POST", "/jobs/{}/cancel"),
    ("POST", "/jobs/{}/stream-ticket"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_foreign_a_missing_and_an_expired_job_look_exactly_alike(service: Api, method: str, path: str) -> None:
    long_ago = service.aws.clock() - 10_000_000
    foreign = service.aws.new_job(owner="user-2").job_id
    expired = service.aws.new_job(created_at=long_ago, expires_at=service.aws.clock() // 1000).job_id
    missing = new_job_id()
    before = service.items()
    answers = [service.call(method, path.format(job)) for job in (foreign, expired, missing, missing.upper(), "x")]
    assert (answers[0].status, answers[0].code) == (404, "job_not_found")
    assert all(answer == answers[0] for answer in answers)
    assert not any(job in answers[0].text for job in (foreign, expired, missing))
    assert service.items() == before
    assert service.aws.events(foreign) == []


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_foreign_job_costs_the_reads_of_a_missing_one(service: Api, method: str, path: str) -> None:
    def calls(job_id: str) -> list[tuple[str, str]]:
        service.forget_calls()
        service.call(method, path.format(job_id))
        return service.calls()

    foreign = service.aws.new_job(owner="user-2").job_id
    assert calls(foreign) == calls(new_job_id()) == [("dynamodb", "get_item")]


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/jobs")])
def test_a_request_without_a_subject_is_401(service: Api, method: str, path: str) -> None:
    answer = service.call(method, path.format(service.aws.new_job().job_id), user=None)
    assert (answer.status, answer.code) == (401, "unauthorized")


def test_a_job_lives_to_its_last_second(service: Api) -> None:
    job = service.aws.new_job(expires_at=service.aws.clock() // 1000 + 60)
    assert service.call("GET", f"/jobs/{job.job_id}/status").status == 200
