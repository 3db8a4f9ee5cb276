"""A long job over real HTTP: a server that is lost in the middle, 100,000 events, events of megabytes."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from graphjobs.aws.claims import Claim
from graphjobs.client.client import Client
from graphjobs.core.event import MAX_EVENT_BYTES
from graphjobs.core.outcome import completed
from graphjobs.core.times import now_ms
from graphjobs.worker.jsonable import encode
from graphjobs.worker.writer import LogWriter
from tests.integration.stream_server import StreamServer, running
from tests.support.backend import Backend, backend

TOKENS = 100_000
LARGE = MAX_EVENT_BYTES - 1_000


@pytest.fixture(scope="module")
def aws() -> Iterator[Backend]:
    with backend() as fresh:
        fresh.clock.now = now_ms()
        yield fresh


@pytest.fixture
def server(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[StreamServer]:
    yield from running(aws, monkeypatch)


def written(aws: Backend, events: Iterator[tuple[str, dict[str, Any]]], result: Any = None) -> str:
    """A finished job with these events, written as a worker does; its id."""
    claim = aws.claims.claim(aws.new_job().job_id, model=None)
    assert isinstance(claim, Claim)
    failures: list[Exception] = []
    writer = LogWriter(aws.log, claim, flush_seconds=0.05, on_failure=failures.append)
    for kind, data in events:
        writer.append(kind, encode(data).text)
        if writer.full:
            writer.wait_for_room()
    aws.claims.finish(claim, completed(result), writer.close())
    assert not failures
    return claim.job.job_id


def many() -> Iterator[tuple[str, dict[str, Any]]]:
    noise = random.Random(5).randbytes(LARGE // 2).hex()
    for number in range(TOKENS):
        yield "token", {"text": f"token {number} 환불 ", "node": "answer", "message_id": "m"}
        if number == TOKENS // 2:
            yield "big", {"text": noise}


class Ticketed(httpx.HTTPTransport):
    """Gives the ticket of the job in place of the token, as a browser does."""

    def __init__(self, server: StreamServer) -> None:
        super().__init__()
        self._server = server

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        del request.headers["Authorization"]
        self._server.opened += 1
        ticket = self._server.ticket(request.url.path.rpartition("/")[2])
        request.url = request.url.copy_set_param("ticket", ticket)
        return super().handle_request(request)


def followed(server: StreamServer, job_id: str, *, lost_at: int = 0) -> list[dict[str, Any]]:
    """What our client is given, over as many connections as it takes; the server is lost when it has `lost_at`."""
    events: list[dict[str, Any]] = []
    transport = Ticketed(server)
    with Client(server.url, "t", stream_url=server.url, transport=transport, sleep=lambda _: None) as client:
        for event in client.stream(job_id):
            events.append(dict(event))
            if len(events) == lost_at:
                server.lose()
                server.start()
    return events


def test_a_job_of_100_000_events_arrives_whole_over_a_server_that_is_lost(server: StreamServer, aws: Backend) -> None:
    job_id = written(aws, many(), result={"answer": "x" * 500_000})
    events = followed(server, job_id, lost_at=TOKENS // 3)
    assert server.opened >= 2, "the client has come back"
    assert [event["seq"] for event in events] == list(range(1, TOKENS + 4))
    tokens = [event["data"]["text"] for event in events if event["type"] == "token"]
    assert tokens == [f"token {number} 환불 " for number in range(TOKENS)]
    big = next(event for event in events if event["type"] == "big")
    assert len(big["data"]["text"]) > 5_000_000 and big["seq"] == TOKENS // 2 + 3
    assert events[-1]["data"] == {"status": "completed", "result": {"answer": "x" * 500_000}}
    spilt = aws.s3.list_objects_v2(Bucket="payloads", Prefix=f"events/{job_id}/")["Contents"]
    assert len(spilt) >= 1, "what is too large for an item was in S3, under what expires with the job"


@pytest.mark.parametrize("size", [20_000, 200_000])
@pytest.mark.parametrize("header", ["authorization", "last-event-id", "cookie"])
def test_a_header_without_measure_is_refused_and_the_server_goes_on(
    server: StreamServer, header: str, size: int
) -> None:
    with httpx.Client() as http:
        try:
            answer = http.get(f"{server.url}/stream/job-1", headers={header: "Bearer " + "x" * size})
        except httpx.TransportError:
            assert size > 65_536, "cut off before it was sent whole"
        else:
            assert 400 <= answer.status_code < 500 and "x" * 100 not in answer.text
        assert http.get(f"{server.url}/healthz").status_code == 200


def test_a_header_that_never_ends_is_cut_off(server: StreamServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"GET /stream/job-1 HTTP/1.1\r\nhost: x\r\nauthorization: ")
        with pytest.raises(OSError):
            for _ in range(10_000):
                connection.sendall(b"x" * 65_536)
    assert httpx.get(f"{server.url}/healthz").status_code == 200
