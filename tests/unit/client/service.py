"""A small real HTTP server that speaks the contract, and misbehaves exactly as a test scripts it."""

import json
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from graphjobs.client.answers import Event
from tests.unit.client.log import JOB_ID, wire


@dataclass(frozen=True)
class Answer:
    """One answer: with `cut`, the socket closes after the body without the end that HTTP asks for."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answer_json(members: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(members).encode(), {"Content-Type": "application/json"})


def problem(status: int, code: str, detail: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"type": "about:blank", "status": status, "code": code, "detail": detail})
    return Answer(status, body.encode(), {"Content-Type": "application/problem+json", **named})


def stream_answer(body: bytes, *, cut: bool = False, retry_ms: int = 7) -> Answer:
    return Answer(200, f"retry: {retry_ms}\n".encode() + body, {"Content-Type": "text/event-stream"}, cut)


class Service:
    """Answers from a queue of scripted answers per path first, and then with the log, like the real one."""

    def __init__(self, log: list[Event], token: str) -> None:
        self.log = log
        self.token = token
        self.requests: list[Seen] = []
        self.scripts: dict[str, deque[Answer | Callable[[Seen], Answer]]] = {}
        self.url = ""

    def script(self, path: str, *answers: Answer | Callable[[Seen], Answer]) -> None:
        """Answer the next requests for `path` with `answers`."""
        self.scripts.setdefault(path, deque()).extend(answers)

    def requests_for(self, path: str) -> list[Seen]:
        return [seen for seen in self.requests if seen.path.partition("?")[0] == path]

    def answer(self, seen: Seen) -> Answer:
        path = seen.path.partition("?")[0]
        if self.scripts.get(path):
            scripted = self.scripts[path].popleft()
            return scripted(seen) if callable(scripted) else scripted
        if seen.headers.get("authorization") != f"Bearer {self.token}":
            return answer_json({"message": "Unauthorized"}, 401)
        done = self.log[-1]
        job = {
            "job_id": JOB_ID,
            "graph": "chat",
            "attempt": 1,
            "last_seq": done["seq"],
            "thread_id": "t-1",
            **done["data"],
        }
        match seen.method, path:
            case "POST", "/jobs":
                return answer_json({"job_id": JOB_ID, "status": "queued"}, 202)
            case "GET", "/jobs":
                return answer_json({"jobs": [job], "next_cursor": "more"})
            case "GET", p if p == f"/jobs/{JOB_ID}/status":
                return answer_json(job)
            case "POST", p if p == f"/jobs/{JOB_ID}/cancel":
                return answer_json({"job_id": JOB_ID, "status": "cancelling"}, 202)
            case "DELETE", p if p == f"/jobs/{JOB_ID}":
                return answer_json({"job_id": JOB_ID, "status": "completed"}, 202)
            case "DELETE", p if p == f"/jobs/{JOB_ID}/stream-ticket":
                return answer_json({"job_id": JOB_ID, "tickets_revoked": 1})
            case "POST", p if p == f"/jobs/{JOB_ID}/stream-ticket":
                return answer_json({"stream_url": f"{self.url}/edge/stream/{JOB_ID}?ticket=secret"})
            case "GET", p if p in (f"/stream/{JOB_ID}", f"/edge/stream/{JOB_ID}"):
                return self._stream(int(seen.headers.get("last-event-id", "0")))
        return problem(404, "job_not_found", "There is no such job.")

    def _stream(self, after: int) -> Answer:
        return stream_answer(wire(self.log[after:])) if after < len(self.log) else Answer(204, b"")


@contextmanager
def running(log: list[Event], token: str = "good") -> Generator[Service]:
    """The service on a free port of this machine, on threads of its own."""
    service = Service(log, token)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers, self.rfile.read(length))
            service.requests.append(seen)
            self.reply(service.answer(seen))

        do_GET = do_POST = do_DELETE = handle_one

        def reply(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            # A cut answer promises one byte more than it sends: the client can tell that it was cut.
            self.send_header("Content-Length", str(len(answer.body) + answer.cut))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = self.close_connection or answer.cut

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
