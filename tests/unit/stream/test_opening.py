"""Opening a stream: who may, from where on, and what is answered when that cannot be said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graphjobs.auth.principal import AuthUnavailable
from graphjobs.core.job import new_job_id
from graphjobs.observability import own_logger
from tests.support.faults import FAULTS, client_error
from tests.support.issuer import NOW
from tests.support.stream.app import Connection, Streams, run, streams


def answered(app: Streams, path: str, headers: dict[str, str] | None = None, **options: Any) -> Connection:
    """The whole answer to a request."""

    async def request() -> Connection:
        return await app.request(path, headers, **options).end()

    return run(request())


@pytest.fixture
def app() -> Any:
    with streams() as app:
        yield app


def finished(app: Streams, **changes: Any) -> str:
    """A job with events 1 to 4; 2 and 3 share a slot, 4 is `done`."""
    script = app.job(**changes)
    script.slot("a")
    script.slot("b", "c")
    script.done()
    return script.job_id


def test_a_ticket_opens_the_stream(app: Streams) -> None:
    job = finished(app)
    answer = answered(app, f"/stream/{job}?ticket={app.ticket(job)}")
    assert (answer.status, answer.complete, len(answer.events)) == (200, True, 4)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert (answer.headers["referrer-policy"], answer.headers["x-accel-buffering"]) == ("no-referrer", "no")
    assert "content-length" not in answer.headers
    assert answer.body.startswith(b"retry: 1000\nid: 1\nevent: token\ndata: {")


def test_a_ticket_that_was_revoked_opens_nothing_and_a_fresh_one_does(app: Streams) -> None:
    job = finished(app)
    old = app.ticket(job)
    assert answered(app, f"/stream/{job}?ticket={old}").status == 200
    app.rows.rows[job] = replace(app.rows.rows[job], tickets_revoked=1)
    refused = answered(app, f"/stream/{job}?ticket={old}")
    assert (refused.status, json.loads(refused.body)["code"]) == (401, "ticket_invalid")
    fresh = app.tickets.issue(job, NOW + 600, 1)
    assert answered(app, f"/stream/{job}?ticket={fresh}").status == 200
    assert answered(app, f"/stream/{job}", app.bearer()).status == 200, "the owner's token is no ticket"
    app.rows.rows[job] = replace(app.rows.rows[job], tickets_revoked=2)
    assert answered(app, f"/stream/{job}?ticket={fresh}").status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_of_the_owner_opens_the_stream(app: Streams, scheme: str) -> None:
    job = finished(app)
    token = app.bearer()["authorization"].partition(" ")[2]
    assert len(answered(app, f"/stream/{job}", {"authorization": f"{scheme} {token}"}).events) == 4


def test_a_token_wins_over_a_ticket(app: Streams) -> None:
    job = finished(app)
    path = f"/stream/{job}?ticket={app.ticket(job)}"
    assert answered(app, path, {"authorization": "Bearer nonsense"}).problem() == (401, "token_invalid")
    assert answered(app, path, app.bearer("user-2")).problem() == (404, "job_not_found")
    assert answered(app, f"/stream/{job}?ticket=nonsense", app.bearer()).status == 200


def refusals(app: Streams, job: str) -> dict[str, tuple[str, dict[str, str], str]]:
    expired = app.tickets.issue(job, NOW)
    token = {"authorization": f"Bearer {app.issuer.token(exp=NOW - 1)}"}
    return {
        "nothing": ("", {}, "unauthorized"),
        "empty ticket": ("?ticket=", {}, "ticket_invalid"),
        "malformed ticket": ("?ticket=x", {}, "ticket_invalid"),
        "ticket of another job": (f"?ticket={app.ticket(new_job_id())}", {}, "ticket_invalid"),
        "expired ticket": (f"?ticket={expired}", {}, "ticket_expired"),
        "empty token": ("", {"authorization": "Bearer "}, "token_invalid"),
        "malformed token": ("", {"authorization": "Bearer a.b.c"}, "token_invalid"),
        "expired token": ("", token, "token_expired"),
        "another scheme": ("", {"authorization": "Basic dXNlcjpwYXNz"}, "unauthorized"),
    }


REFUSED = (
    "nothing",
    "empty ticket",
    "malformed ticket",
    "ticket of another job",
    "expired ticket",
    "empty token",
    "malformed token",
    "expired token",
    "another scheme",
)


@pytest.mark.parametrize("name", REFUSED)
def test_without_a_valid_credential_it_is_401(app: Streams, name: str) -> None:
    job = finished(app)
    query, headers, code = refusals(app, job)[name]
    answer = answered(app, f"/stream/{job}{query}", headers)
    assert answer.problem() == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["cache-control"] == "no-store"
    assert app.rows.reads == 0, "nothing is read for a stranger"


def test_a_foreign_a_missing_and_an_expired_job_look_exactly_alike(app: Streams) -> None:
    foreign, expired = finished(app, owner="user-2"), finished(app, expires_at=NOW)
    answers = [answered(app, f"/stream/{job}", app.bearer()) for job in (foreign, expired, new_job_id(), "x", "é")]
    assert answers[0].problem() == (404, "job_not_found")
    assert all((a.status, a.headers, a.body) == (404, answers[0].headers, answers[0].body) for a in answers)


def test_a_ticket_of_a_job_that_has_expired_is_404(app: Streams) -> None:
    job = finished(app, expires_at=NOW + 60)
    path = f"/stream/{job}?ticket={app.ticket(job)}"
    assert answered(app, path).status == 200
    app.clock.advance(60)
    assert answered(app, path).problem() == (404, "job_not_found")


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_stream_goes_on_after_the_cursor_also_in_the_middle_of_a_slot(app: Streams, after: int) -> None:
    job = finished(app)
    seqs = list(range(after + 1, 5))
    path = f"/stream/{job}?ticket={app.ticket(job)}"
    assert [e["seq"] for e in answered(app, f"{path}&after={after}").events] == seqs
    assert [e["seq"] for e in answered(app, path, {"last-event-id": str(after)}).events] == seqs


def test_the_header_wins_over_the_address(app: Streams) -> None:
    """A browser that reconnects asks for the first address again, with the header."""
    job = finished(app)
    answer = answered(app, f"/stream/{job}?ticket={app.ticket(job)}&after=1", {"last-event-id": "3"})
    assert [e["seq"] for e in answer.events] == [4]


@pytest.mark.parametrize("after", ["", "0", "000"])
def test_an_empty_or_zero_cursor_is_the_beginning(app: Streams, after: str) -> None:
    job = finished(app)
    assert len(answered(app, f"/stream/{job}?after={after}", {**app.bearer(), "last-event-id": ""}).events) == 4


@pytest.mark.parametrize(
    "cursor", ["-1", "+1", "1.0", "1e3", "0x1", "x", "１", "1 ", "1,2", "1" * 16, "null", "1%0A", "%00"]
)
def test_a_malformed_cursor_is_400(app: Streams, cursor: str) -> None:
    answer = answered(app, f"/stream/{finished(app)}?after={cursor}", app.bearer())
    assert answer.problem() == (400, "invalid_cursor")


@pytest.mark.parametrize("cursor", ["5", "6", "999999999999999"])
def test_a_cursor_after_the_last_event_is_400(app: Streams, cursor: str) -> None:
    answer = answered(app, f"/stream/{finished(app)}?after={cursor}", app.bearer())
    assert answer.problem() == (400, "cursor_too_high")


def test_a_cursor_in_an_empty_log_is_400(app: Streams) -> None:
    answer = answered(app, f"/stream/{app.job().job_id}?after=1", app.bearer())
    assert answer.problem() == (400, "cursor_too_high")


def test_who_has_seen_the_end_gets_204(app: Streams) -> None:
    job = finished(app)
    answer = answered(app, f"/stream/{job}?ticket={app.ticket(job)}", {"last-event-id": "4"})
    assert (answer.status, bytes(answer.body)) == (204, b"")
    assert answer.headers["cache-control"] == "no-store"


def test_the_opening_does_not_trust_reads_that_may_lag(app: Streams) -> None:
    """An eventually consistent read would answer 400 to a client that has seen more than this replica has."""
    job = finished(app)
    for key in app.log.written:
        app.log.hidden[key] = 10**6
    assert answered(app, f"/stream/{job}?after=4", app.bearer()).status == 204
    assert answered(app, f"/stream/{job}?after=5", app.bearer()).status == 400


PASSING: dict[str, Callable[[], Exception]] = {**FAULTS, "keys": lambda: AuthUnavailable("no keys")}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_at_open_sends_a_browser_away_to_come_back(app: Streams, fault: str) -> None:
    """EventSource gives up for good on any status but 200."""
    job = finished(app)
    app.rows.failure = PASSING[fault]()
    answer = answered(app, f"/stream/{job}?ticket={app.ticket(job)}")
    assert (answer.status, bytes(answer.body), answer.complete) == (200, b"retry: 1000\n", True)
    assert answer.headers["content-type"] == "text/event-stream"
    app.rows.failure = None
    assert len(answered(app, f"/stream/{job}?ticket={app.ticket(job)}").events) == 4


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_at_open_is_503_for_a_client_that_can_read_it(app: Streams, fault: str) -> None:
    job = finished(app)
    app.rows.failure = PASSING[fault]()
    answer = answered(app, f"/stream/{job}", app.bearer())
    assert answer.problem() == (503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0


def test_a_fault_of_the_log_at_open_is_a_passing_fault_too(app: Streams) -> None:
    job = finished(app)
    for headers, status in ((None, 200), (app.bearer(), 503)):
        app.log.failures.append(client_error("ProvisionedThroughputExceededException"))
        assert answered(app, f"/stream/{job}?after=1&ticket={app.ticket(job)}", headers).status == status


def test_keys_that_cannot_be_had_refuse_nobody(app: Streams) -> None:
    job = finished(app)
    app.issuer.down = True
    app.ring.failure = AuthUnavailable("the secret cannot be read")
    assert answered(app, f"/stream/{job}", app.bearer()).status == 503
    assert answered(app, f"/stream/{job}?ticket={app.ticket(job)}").status == 200


def test_a_fault_that_will_not_pass_is_500_and_nothing_of_it_is_shown(
    app: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished(app)
    ticket = app.ticket(job)
    (handler,) = own_logger("stream").handlers
    monkeypatch.setattr(handler, "stream", written := io.StringIO())
    for failure in (client_error("AccessDeniedException"), RuntimeError(f"/stream/{job}?ticket={ticket}")):
        app.rows.failure = failure
        answer = answered(app, f"/stream/{job}?ticket={ticket}")
        assert answer.problem() == (500, "internal_error")
        assert ticket.encode() not in answer.body and b"AccessDenied" not in answer.body
        assert isinstance(answer.task.exception(), type(failure)), "uvicorn is told as well"
    assert ticket not in written.getvalue() and ticket[-20:] not in written.getvalue()
    assert all(json.loads(line)["message"] for line in written.getvalue().splitlines())


@pytest.mark.parametrize("path", ["/", "/stream", "/stream/", "/stream/x/y", "/jobs", "/docs", "/openapi.json"])
def test_what_is_no_stream_is_our_404(app: Streams, path: str) -> None:
    assert answered(app, path, app.bearer()).problem()[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_stream_is_only_read(app: Streams, method: str) -> None:
    answer = answered(app, f"/stream/{finished(app)}", app.bearer(), method=method)
    assert answer.problem() == (405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


def test_head_follows_nothing(app: Streams) -> None:
    answer = answered(app, f"/stream/{app.job().job_id}", app.bearer(), method="HEAD")
    assert (answer.status, bytes(answer.body)) == (200, b"")
    assert app.service.open_streams == 0


def test_the_readiness_check_needs_nobody(app: Streams) -> None:
    assert answered(app, "/healthz").status == 200


def test_without_origins_there_is_no_cors_header(app: Streams) -> None:
    job = finished(app)
    answer = answered(app, f"/stream/{job}?ticket={app.ticket(job)}", {"origin": "https://web.example.test"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("more", ["cache-control", "baggage,sentry-trace", "traceparent,tracestate", "x-request-id"])
def test_a_preflight_passes_with_what_monitoring_tools_add(more: str) -> None:
    asked = {
        "origin": "https://web.example.test",
        "access-control-request-method": "GET",
        "access-control-request-headers": f"authorization,last-event-id,{more}",
    }
    with streams(cors=("https://web.example.test",)) as app:
        answer = answered(app, "/stream/job-x", asked, method="OPTIONS")
        assert answer.status == 200
        assert set(more.split(",")) <= set(answer.headers["access-control-allow-headers"].replace(" ", "").split(","))


def test_cors_headers_are_on_every_answer_and_once() -> None:
    """`Connection` refuses a doubled header, as browsers do."""
    origin = {"origin": "https://web.example.test"}
    with streams(cors=("https://web.example.test",)) as app:
        job = finished(app)
        path = f"/stream/{job}?ticket={app.ticket(job)}"
        answers = [answered(app, path, origin), answered(app, f"{path}&after=4", origin)]
        answers += [answered(app, f"{path}&after=x", origin), answered(app, f"/stream/{job}", origin)]
        app.rows.failure = client_error("ThrottlingException")
        answers += [answered(app, path, origin), answered(app, path, {**origin, **app.bearer()})]
        assert [answer.status for answer in answers] == [200, 204, 400, 401, 200, 503]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == "https://web.example.test"
        stranger = answered(app, path, {"origin": "https://evil.example.test"})
        assert "access-control-allow-origin" not in stranger.headers
