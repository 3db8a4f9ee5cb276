"""The canary against a service on this machine that keeps its promises, and against some that do not."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from graphjobs.canary import handler as module
from graphjobs.canary.round_trip import CanaryFailed, round_trip
from graphjobs.canary.token import access_token
from graphjobs.core.settings import Settings
from graphjobs.observability import logger as make_logger

DONE = {"status": "completed", "result": None}


def event(seq: int, kind: str = "token", data: Any = None) -> dict[str, Any]:
    return {"seq": seq, "type": kind, "ts": "2026-11-25T00:00:00.000Z", "data": data or {}}


@dataclass
class Service:
    """A service with one job, whose events are `events`; each connection sends `most` of them at most."""

    url: str = ""
    events: list[dict[str, Any]] = field(
        default_factory=lambda: [event(1, "metadata"), *map(event, (2, 3)), event(4, "done", DONE)]
    )
    most: int = 100
    asked: list[tuple[str, Any]] = field(default_factory=list)
    status: int = 202
    forgets: bool = False
    """Whether it begins each connection with the first event."""

    def post(self, path: str, body: bytes, headers: Any) -> tuple[int, Any]:
        self.asked.append((path, (body.decode(), dict(headers))))
        if path == "/token":
            return 200, {"access_token": "machine-token"}
        if path == "/":
            return 200, {"AuthenticationResult": {"AccessToken": "user-token"}}
        return self.status, {"job_id": "job-1", "stream_url": f"{self.url}/stream/job-1?ticket=secret"}

    def stream(self, after: int) -> bytes:
        self.asked.append(("/stream", after))
        rest = [each for each in self.events if each["seq"] > after or self.forgets][: self.most]
        frames = [f"id: {each['seq']}\nevent: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in rest]
        return b"retry: 1000\n" + "".join(frames).encode()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, answer = made.post(self.path, body, self.headers)
            self._answer(status, json.dumps(answer).encode())

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            assert "ticket" not in query and self.headers["authorization"] == "Bearer t"
            self._answer(200, made.stream(int(query["after"][0])))

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def trip(service: Service, seconds: float = 60) -> str:
    return round_trip(service.url, '{"query":"canary"}', "t", time.monotonic() + seconds, pause=lambda _: None)


def test_it_asks_for_a_job_cuts_its_connection_and_goes_on_where_it_was(service: Service) -> None:
    assert trip(service) == "job-1"
    (path, (body, headers)), *streams = service.asked
    assert (path, body, headers["Authorization"]) == ("/jobs", '{"query":"canary"}', "Bearer t")
    assert streams == [("/stream", 0), ("/stream", 2)]


def test_it_comes_back_as_often_as_a_connection_ends(service: Service) -> None:
    service.most = 1
    assert trip(service) == "job-1"
    assert [after for _, after in service.asked[1:]] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([event(1, "metadata"), event(3), event(4, "done", DONE)], "event 3 came after 1"),
        (
            [event(1, "metadata"), event(2), event(3, "done", {"status": "failed", "error": {"code": "x"}})],
            "it has failed",
        ),
    ],
    ids=["a gap", "failed"],
)
def test_what_is_not_as_promised_is_a_failure(service: Service, events: list[dict[str, Any]], why: str) -> None:
    service.events = events
    with pytest.raises(CanaryFailed, match=why):
        trip(service)


def test_a_repeated_event_is_a_failure(service: Service) -> None:
    service.events = [event(1, "metadata"), event(2), event(2), event(3, "done", DONE)]
    service.forgets = True
    with pytest.raises(CanaryFailed, match="event 1 came after 2"):
        trip(service)


def test_a_job_that_does_not_end_is_a_failure(service: Service) -> None:
    service.events = []
    with pytest.raises(CanaryFailed, match="not ended in time; 0 events"):
        trip(service, seconds=0.05)


def test_a_user_of_the_pool_gets_a_token(service: Service) -> None:
    token = access_token({"username": "u", "password": "p"}, f"{service.url}/pool", "client")
    assert token == "user-token"
    ((path, (body, headers)),) = service.asked
    assert path == "/" and headers["X-Amz-Target"].endswith(".InitiateAuth")
    assert json.loads(body) == {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": "client",
        "AuthParameters": {"USERNAME": "u", "PASSWORD": "p"},
    }


@pytest.mark.parametrize("scope", [{}, {"scope": "jobs"}])
def test_a_machine_gets_a_token(service: Service, scope: dict[str, str]) -> None:
    credentials = {"token_url": f"{service.url}/token", "client_id": "c", "client_secret": "s", **scope}
    assert access_token(credentials, "https://issuer.example.com", "client") == "machine-token"
    ((_, (body, headers)),) = service.asked
    assert parse_qs(body) == {"grant_type": ["client_credentials"], **{name: [value] for name, value in scope.items()}}
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"c:s").decode()


@pytest.mark.parametrize(("status", "passed"), [(202, True), (503, False)])
def test_a_run_is_a_metric_and_never_an_error(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, passed: bool
) -> None:
    service.status = status
    text = io.StringIO()
    settings = Settings(api_url=service.url, oidc_issuer=service.url, oidc_audience=("client",), canary_secret="arn")
    secret = {"SecretString": json.dumps({"username": "u", "password": "p"})}
    secrets = SimpleNamespace(get_secret_value=lambda SecretId: secret)
    monkeypatch.setattr(module, "wiring", lambda: (settings, secrets))
    monkeypatch.setattr(module, "logger", make_logger(f"canary-of-a-test-{status}", text))
    monkeypatch.setattr(module, "access_token", lambda *args: access_token(*args) and "t")
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    module.metrics.clear_metrics()  # all of a process share what was added, by tests before this one too
    assert module.handler({}, context) == {"passed": passed}
    line = json.loads(capsys.readouterr().out)
    assert line["CanaryPasses"] == [float(passed)] and line["service"] == "canary"
    assert "secret" not in text.getvalue() and "Bearer" not in text.getvalue()
    logged = json.loads(text.getvalue())
    assert logged["level"] == ("INFO" if passed else "ERROR")
