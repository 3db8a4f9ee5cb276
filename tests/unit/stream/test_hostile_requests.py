"""Requests that are meant to harm: floods of bad tickets, and texts that would be lines of a log."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from graphjobs.auth.tickets import SIGNATURE_LENGTH
from graphjobs.observability import own_logger
from tests.support.faults import client_error
from tests.support.issuer import NOW
from tests.support.stream.app import Streams, run, streams

FORGED = '{"level":"INFO","message":"forged"}'
INJECTION = f"x\n{FORGED}\r\n{FORGED}\u2028\x1b[2J\x00"
A_SIGNATURE = "A" * SIGNATURE_LENGTH


@pytest.fixture
def app() -> Iterator[Streams]:
    with streams() as app:
        yield app


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, app: Streams) -> io.StringIO:
    """What the stream function logs."""
    (handler,) = own_logger("stream").handlers
    monkeypatch.setattr(handler, "stream", text := io.StringIO())
    return text


BAD_TICKETS = {
    "empty": "",
    "words": "open sesame",
    "huge": "k1." + "9" * 5_000,
    "half": "k1.1800000600",
    "wrong signature": f"k1.{NOW + 600}.{A_SIGNATURE}",
    "long expired": f"k1.5.{A_SIGNATURE}",
    "no number": f"k1.1e9.{A_SIGNATURE}",
    "unknown key": f"k9.{NOW + 600}.{A_SIGNATURE}",
    "injection": INJECTION,
    "not ASCII": f"k1.{NOW + 600}.{'가' * SIGNATURE_LENGTH}",
}


def test_a_flood_of_bad_tickets_reads_nothing(app: Streams, written: io.StringIO) -> None:
    """Neither row nor log nor a thread's time, and not a line of the log: each is one signature at most."""

    async def work() -> None:
        script = app.job()
        script.done()
        for _ in range(100):
            for ticket in BAD_TICKETS.values():
                answer = await app.request(f"/stream/{script.job_id}?ticket={quote(ticket)}").end()
                assert answer.problem() in ((401, "ticket_invalid"), (401, "unauthorized")), ticket

    run(work())
    assert app.rows.reads == 0 and not app.log.calls and app.service.open_streams == 0
    assert written.getvalue() == ""


@pytest.mark.parametrize("failure", ["passing", "for good", "while it is followed"])
def test_nothing_a_caller_sends_makes_a_line_of_its_own(app: Streams, written: io.StringIO, failure: str) -> None:
    odd = INJECTION.encode("ascii", "replace").decode()
    headers = {"last-event-id": "", "user-agent": odd, "x-amzn-trace-id": odd, **app.bearer()}

    async def work() -> None:
        script = app.job()
        script.done()
        if failure == "while it is followed":
            app.log.failures.extend([client_error(INJECTION)] * 9)
        else:
            app.rows.failure = client_error("ThrottlingException" if failure == "passing" else INJECTION)
        paths = [f"/stream/{script.job_id}", f"/stream/{quote(INJECTION)}", f"/{quote(INJECTION)}"]
        for path in paths:
            await app.request(f"{path}?x={quote(INJECTION)}", headers).end()
        await app.request(f"{paths[0]}?after={quote(INJECTION)}", headers).end()
        await app.request(paths[0], {"last-event-id": odd, "authorization": f"Bearer {odd}"}).end()

    run(work())
    lines = [json.loads(line) for line in written.getvalue().split("\n") if line]
    assert lines and all({"level", "location", "service"} <= set(line) for line in lines)
    assert not [line for line in lines if line["message"] == "forged"]


def test_neither_token_nor_ticket_is_in_a_log_line_of_any_fault(app: Streams, written: io.StringIO) -> None:
    async def work() -> list[str]:
        script = app.job()
        script.done()
        ticket, token = app.ticket(script.job_id), app.bearer()["authorization"]
        for failure in (f"for ticket={ticket}", f"for {token}", f"GET /stream/x?after=1&ticket={ticket} HTTP/1.1"):
            for kind in (RuntimeError(failure), client_error(f"ThrottlingException {failure}", 503)):
                app.rows.failure = kind
                for headers in ({}, {"authorization": token}):
                    await app.request(f"/stream/{script.job_id}?ticket={ticket}", headers).end()
            app.rows.failure = None
            app.log.failures.append(client_error(f"Boom {failure}"))
            await app.request(f"/stream/{script.job_id}?ticket={ticket}").end()
        return [ticket, ticket.rpartition(".")[2], token.partition(" ")[2], token.rpartition(".")[2]]

    for secret in run(work()):
        assert secret not in written.getvalue()
    assert "[redacted]" in written.getvalue(), "the faults were written"
