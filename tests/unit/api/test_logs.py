"""What the functions write: whole JSON lines, whatever the caller sends, and never a credential."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator

import pytest

from graphjobs.observability import log_no_messages, logger, redact
from tests.support.api.calls import FUNCTIONS, Api
from tests.support.api.output import Output
from tests.support.faults import client_error
from tests.support.issuer import Issuer

FORGED = '{"level":"INFO","message":"forged"}'
INJECTION = f"x\n{FORGED}\r\n{FORGED}\u2028\x1b[2J"


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Output]:
    """The output of all functions; nothing else may write anything."""
    output = Output(monkeypatch)
    for name in FUNCTIONS:
        importlib.import_module(f"graphjobs.api.{name}")  # which makes its logger
        output.of(name)
    yield output
    assert capsys.readouterr() == ("", "")


def test_nothing_a_caller_sends_makes_a_line_of_its_own(service: Api, output: Output) -> None:
    header = INJECTION.encode("ascii", "replace").decode()
    headers = {"user-agent": header, "x-amzn-trace-id": header, "idempotency-key": header, "content-type": header}
    service.call("POST", "/jobs", body={"query": "x"}, headers=headers)
    service.submit(query=INJECTION, metadata={INJECTION: INJECTION}, user=INJECTION)
    service.submit(query="x", graph=INJECTION)
    service.submit(query="x", user_id=INJECTION)
    job = service.aws.new_job(owner=INJECTION, graph=INJECTION)
    service.call("POST", f"/jobs/{job.job_id}/cancel", user=INJECTION)
    service.call("GET", "/jobs/x%0A/status?cursor=%0A")
    service.call("GET", f"/jobs?cursor=%0A{header.split()[0]}&status=%0Ax")
    written = output.lines()
    assert written and all({"level", "location", "service"} <= set(line) for line in written)
    assert not [line for line in written if line["message"] == "forged"]


def test_neither_token_nor_ticket_nor_query_is_written(service: Api, output: Output) -> None:
    token = Issuer().token()
    headers = {"authorization": f"Bearer {token}"}
    created = service.call("POST", "/jobs", body={"query": "private words"}, headers=headers)
    job_id = created.body["job_id"]
    fresh = service.call("POST", f"/jobs/{job_id}/stream-ticket", headers=headers)
    service.dynamodb.fail("get_item", client_error("ThrottlingException"))
    assert service.call("GET", f"/jobs/{job_id}/status", headers=headers).status == 503
    service.dynamodb.fail("get_item", client_error("ValidationException"))
    assert service.call("GET", f"/jobs/{job_id}/status", headers=headers).status == 500
    service.call("POST", f"/jobs/{job_id}/cancel", headers=headers)
    out = output.text
    assert "ThrottlingException" in out and "ValidationException" in out, "the faults were written"
    tickets = [answer.body["stream_url"].partition("ticket=")[2] for answer in (created, fresh)]
    for secret in (token, token.split(".")[2], "private words", *tickets, *(t.split(".")[2] for t in tickets)):
        assert secret not in out


TICKET = "k1.1800000000.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP0"


@pytest.mark.parametrize("where", ["message", "argument", "extra", "nested extra", "exception"])
@pytest.mark.parametrize("form", ["ticket=%s", "Bearer %s", "authorization: bearer %s", "/stream/x?ticket=%s&after=1"])
def test_a_credential_is_taken_out_wherever_it_was_put(where: str, form: str, output: Output) -> None:
    log = logger("redaction-test")
    output.of("redaction-test")
    text = form % TICKET
    if where == "message":
        log.warning(text)
    elif where == "argument":
        log.warning("failed: %s", text)
    elif where == "extra":
        log.warning("failed", extra={"error": text})
    elif where == "nested extra":
        log.warning("failed", extra={"request": {"url": [text]}})
    else:
        try:
            raise RuntimeError(f'no answer from "{text}"')
        except RuntimeError:
            log.exception("failed")
    out = output.text
    assert TICKET not in out and TICKET[-20:] not in out
    assert "[redacted]" in out
    json.loads(out)


def test_a_bare_token_is_taken_out_too() -> None:
    token = Issuer().token()
    assert redact(f"got {token}.").startswith("got [redacted]")
    assert token.split(".")[1] not in redact(f'{{"t": "{token}"}}')


def test_what_is_no_credential_stays() -> None:
    text = "job-1 by user-1 failed: Bearer of bad news, ticketed, eyJ is three letters"
    assert redact("plain words") == "plain words"
    assert "bad news, ticketed, eyJ is three letters" in redact(text)


def test_one_logger_a_service_writes_each_line_once(output: Output) -> None:
    for _ in range(3):
        log = logger("once-test")
    output.of("once-test")
    log.info("hello")
    assert [line["message"] for line in output.lines()] == ["hello"]


def test_of_an_exception_only_its_type_and_place_are_logged_where_that_is_wanted(output: Output) -> None:
    log = logger("no-messages-test")
    output.of("no-messages-test")
    log_no_messages(log)
    try:
        raise ValueError("what a user wrote")
    except ValueError:
        log.exception("graph failed", extra={"job_id": "job-1"})
    log.info("a line without an exception")
    first, second = [json.loads(line) for line in output.text.splitlines()]
    assert "what a user wrote" not in json.dumps(first)
    assert (first["message"], first["job_id"], first["error_type"]) == ("graph failed", "job-1", "builtins.ValueError")
    assert "test_logs.py:" in first["raised_at"][-1]
    assert second["message"] == "a line without an exception"


def test_every_line_names_the_release_that_wrote_it(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHJOBS_RELEASE", "0123456789ab")
    log = logger("release-test")
    output.of("release-test")
    log.info("hello")
    assert json.loads(output.text)["release"] == "0123456789ab"
